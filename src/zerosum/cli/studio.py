"""Open the studio in the browser: watch runs, start and stop them, look at what they draw."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from zerosum.cli._common import parse, show
from zerosum.core.errors import Refusal


@dataclass(frozen=True)
class Options:
    """Where the studio looks and listens."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="[RUNS]")] = Path("runs")
    """Where the runs are kept; new ones go there too."""
    port: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: the first free one from 8470)")] = None
    """Its port; 0 takes any free one."""
    host: str = "127.0.0.1"
    """The address it listens at. The default is this machine alone; with another, others who have the token come in."""
    no_browser: bool = False
    """Print the address, and open no browser."""
    json: bool = False
    """Print JSON: {"url", "folder"}."""


def main(argv: list[str]) -> int | None:
    """Serves until Ctrl-C. What trains goes on after it. Raises Refusal for a folder that is none, or a taken port."""
    options = parse(Options, argv, "studio", __doc__ or "")
    folder = _folder(options.folder)
    from zerosum.studio.serve import is_open_to_others, opened

    studio = opened(folder, options.host, options.port)
    if is_open_to_others(options.host):
        print(
            f"Careful: at {options.host} other machines can reach the studio. Nothing is encrypted; whoever sees the "
            "token can start training here and read your pictures. Only do this in a network that you trust.",
            file=sys.stderr,
        )
    show({"url": studio.url, "folder": str(folder)}, options.json, f"The studio: {studio.url}\nCtrl-C ends it.")
    sys.stdout.flush()
    if not options.no_browser and _has_a_screen():
        threading.Thread(target=webbrowser.open, args=(studio.url,), daemon=True).start()
    try:
        studio.run()
    finally:
        studio.jobs.close()
    if left := studio.jobs.running():
        runs = "A run goes" if left == 1 else f"{left} runs go"
        print(f"{runs} on training. To see and stop: zerosum studio {folder}", file=sys.stderr)
    return 0


def _has_a_screen() -> bool:
    """Whether a browser has anywhere to open: without a screen, one of text would take the terminal."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _folder(given: Path) -> Path:
    """The folder of runs, from the root; of a run's own folder, the one it lies in. Raises Refusal for what is none."""
    folder = given.absolute()
    if folder.exists() and not folder.is_dir():
        raise Refusal(f"{given}: not a folder. Wanted where runs are kept, such as runs.")
    if not folder.exists() and given != Path("runs"):
        raise Refusal(f"{given}: no such folder. Wanted where runs are kept, such as runs.")
    return folder.parent if (folder / "run.json").is_file() else folder
