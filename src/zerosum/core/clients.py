"""The ordinary clients of packages: PyPI's by unearth with pip's settings, npm, apt-get. No code of a package runs.

Each client fetches into a folder that is kept between tries. From a PyPI index a broken download goes on where it
stopped, if the server allows it. npm and apt-get begin a broken file anew (apt 2.6 asks for no part, even where one
lies ready), so that of theirs only whole files are taken up.
"""

from __future__ import annotations

import ast
import contextlib
import json
import logging
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zerosum.core.files import sha256

if TYPE_CHECKING:
    from unearth import Link, PackageFinder

    from zerosum.core.packages import Artefact

_BREAKS = 3  # so often a broken line is taken up again before the user is asked to


class Failed(Exception):
    """A client could not fetch; the message is what it said, in one line, fit for brackets."""


@contextlib.contextmanager
def shown(artefact: Artefact, folder: Path, progress: bool) -> Iterator[None]:
    """A bar on stderr while the block fetches, with the bytes that have come into `folder` of those the table tells."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("fetching {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    total, done = artefact.size_mb * 10**6, threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            screen.update(task, completed=min(total, _size(folder)))

    console = Console(stderr=True)
    hidden = not (progress and console.is_terminal)
    with Progress(*columns, console=console, transient=True, disable=hidden) as screen:
        task = screen.add_task(artefact.name, total=total)
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _size(folder: Path) -> int:
    """Bytes of all files in the folder; those that vanish meanwhile count nothing."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(here, name)).st_size
    return total


def _run(command: Sequence[str], folder: Path) -> None:
    """Runs a client in the folder. Raises Failed if it is missing or ends with an error."""
    if shutil.which(command[0]) is None:
        raise Failed(f"{command[0]} is not installed here")
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Failed(_reason(done.stdout, done.stderr))


def _brought(folder: Path, pattern: str) -> Path:
    file = next(folder.glob(pattern), None)
    if file is None:
        raise Failed("it ended well but wrote no file")
    return file


def _reason(stdout: str, stderr: str) -> str:
    """What went wrong: npm's summary in JSON, else the last line that tells an error."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(stdout)["error"]["summary"])
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("E:").strip().rstrip(".")


# ------------------------------------------------------------------------------------------------------------ npm, apt


def npm(artefact: Artefact, folder: Path) -> Path:
    """The tgz, by `npm pack` with the machine's own settings. Its cache lies in the folder, where it can be watched."""
    options = ["--ignore-scripts", "--no-update-notifier", "--json", "--cache", str(folder / "npm")]
    _run(["npm", "pack", *options, f"{artefact.package}@{artefact.version}"], folder)
    return _brought(folder, "*.tgz")


def apt(artefact: Artefact, folder: Path) -> Path:
    """The deb, by `apt-get download`, which needs neither root nor an installation."""
    try:
        _run(["apt-get", "download", f"{artefact.package}={artefact.version}"], folder)
    except Failed as failed:
        if "was not found" in str(failed) or "Unable to locate" in str(failed):
            raise Failed(
                f"{failed}: this machine's Debian or Ubuntu does not offer that version, or its lists are old; "
                "`apt-get update` renews them"
            ) from failed
        raise
    return _brought(folder, "*.deb")


# ---------------------------------------------------------------------------------------------------------------- pip


def pip(artefact: Artefact, folder: Path) -> Path:
    """The wheel or sdist of the pinned hash, from the indexes that pip is set to on this machine.

    pip itself would run an sdist's code to learn its metadata; unearth finds and fetches the file and no more.
    """
    import httpx2
    from unearth.errors import UnpackError

    logging.getLogger("unearth").setLevel(logging.ERROR)  # an index without the package is no news
    settings = _pip_settings()
    try:
        with _finder(settings) as finder:
            link = _find(finder, artefact)
            return link.file_path if link.is_file else _stream(finder, link, folder / link.filename, artefact.sha256)
    except (httpx2.HTTPError, httpx2.InvalidURL, UnpackError, ValueError, FileNotFoundError, ssl.SSLError) as error:
        raise Failed(f"{error}" or type(error).__name__) from error


def _pip_settings() -> dict[str, str]:
    """pip's settings as this machine has them, `{"index-url": ...}`: files first, then the environment's.

    Without pip, the environment's alone.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = {}
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        key, _, value = line.partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            found[key] = str(ast.literal_eval(value))
    sections = ("global.", "download.", ":env:.")
    settings = {key.removeprefix(s): value for s in sections for key, value in found.items() if key.startswith(s)}
    environment = {k[4:].lower().replace("_", "-"): v for k, v in os.environ.items() if k.startswith("PIP_") and v}
    return {**settings, **environment}


@contextlib.contextmanager
def _finder(settings: Mapping[str, str]) -> Iterator[PackageFinder]:
    """A finder of unearth that looks where pip would look, as pip would."""
    from unearth import PackageFinder
    from unearth.auth import MultiDomainBasicAuth
    from unearth.fetchers.sync import PyPIClient

    options: dict[str, Any] = {"timeout": float(settings.get("timeout", 15)), "follow_redirects": True}
    if "cert" in settings:
        options["verify"] = ssl.create_default_context(cafile=settings["cert"])
    if "client-cert" in settings:
        options["cert"] = settings["client-cert"]
    if "proxy" in settings:
        options["proxy"] = settings["proxy"]
    session = PyPIClient(trusted_hosts=settings.get("trusted-host", "").split(), **options)
    index = [settings["index-url"]] if "index-url" in settings else []
    finder = PackageFinder(cast(Any, session), index_urls=index, ignore_compatibility=True)
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        finder.sources.clear()
    else:
        for url in settings.get("extra-index-url", "").split():
            finder.add_index_url(url)
    for place in settings.get("find-links", "").split():
        if "://" in place or os.path.exists(place):
            finder.add_find_links(place)
    session.auth = MultiDomainBasicAuth(index_urls=[s["url"] for s in finder.sources if s["type"] == "index"])
    with contextlib.closing(session):
        yield finder


def _find(finder: PackageFinder, artefact: Artefact) -> Link:
    """The file of the pinned hash. A place that cannot be reached does not matter if another has it."""
    import httpx2

    asked, wanted = f"{artefact.package}=={artefact.version}", {"sha256": [artefact.sha256]}
    places, unreachable = list(finder.sources), ""
    for place in places:
        finder.sources[:] = [place]
        try:
            found = next(iter(finder.find_matches(asked, allow_yanked=True, hashes=wanted)), None)
        except httpx2.HTTPError as error:
            unreachable = str(error)
            continue
        if found is not None:
            return found.link
    raise Failed(unreachable or f"no file of {asked} with the pinned SHA-256 in the indexes that pip is set to")


def _stream(finder: PackageFinder, link: Link, target: Path, wanted: str) -> Path:
    """Fetches the file; where the line breaks, goes on from there some times, and so does the next call."""
    import httpx2

    for _ in range(_BREAKS):
        with contextlib.suppress(httpx2.TransportError):
            return _append(finder, link, target, wanted)
    return _append(finder, link, target, wanted)


def _append(finder: PackageFinder, link: Link, target: Path, wanted: str) -> Path:
    """Fetches what `target` lacks, or all of it if the server does not serve parts."""
    have = target.stat().st_size if target.exists() else 0
    if have and sha256(target) == wanted:
        return target
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with finder.session.get_stream(link.normalized, headers=headers) as answer:
        if answer.status_code == 416:  # there is no more than we have, and it is wrong
            target.unlink()
            raise Failed("what an earlier try left was damaged and is removed; try again")
        answer.raise_for_status()
        with target.open("ab" if answer.status_code == 206 else "wb") as out:
            for block in answer.iter_bytes():
                out.write(block)
    return target
