"""A Chromium and a studio to point it at: what the browser's tests and the docs' pictures share."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The installed Chromium, without a window."""
    assert CHROMIUM, "no Chromium is installed (on Debian: apt-get install chromium)"
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def studio(runs: Path, *options: str) -> Iterator[str]:
    """`zerosum studio` over these runs as a person starts it, in a process of its own; its address with the token."""
    command = [sys.executable, "-m", "zerosum", "studio", str(runs), "--no-browser", "--json", "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    assert process.stdout is not None
    try:
        lines = ""
        while not lines.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            lines += line
        yield json.loads(lines)["url"]
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert "Traceback" not in said, said


def enter(page: Page, url: str) -> None:
    """Goes through the door that takes the token, into the list of runs."""
    page.goto(url)
    page.wait_for_url(url.split("?")[0])


def page_of(browser: Browser, url: str, width: int = 1280, height: int = 900, **options: Any) -> BrowserContext:
    """A fresh browser's state, so wide. Whatever is asked of another address than the studio's fails, and is kept in
    its `strays`."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    home, strays = urlsplit(url).netloc, []

    def check(route: Route) -> None:
        if urlsplit(route.request.url).netloc == home:
            route.continue_()
        else:
            strays.append(route.request.url)
            route.abort()

    context.route(lambda address: not address.startswith(("blob:", "data:")), check)
    context.strays = strays  # type: ignore[attr-defined]
    return context
