"""What the command line prints, as files. `python -m tests.cli.snapshots` records them anew, on purpose."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from unittest import mock

from zerosum import cli

FOLDER = Path(__file__).with_name("snapshots")
COMMANDS = {
    "help": ["--help"],
    "games": ["games"],
    "games-help": ["games", "--help"],
    "animate-help": ["animate", "--help"],
    "sample-help": ["sample", "--help"],
    "train-dcgan-help": ["train", "dcgan", "--help"],
    "train-help": ["train", "--help"],
    "unknown-verb": ["evalute"],
    "unknown-game": ["games", "hause"],
    "unknown-data": ["train", "dcgan", "avatar", "--minutes", "1"],
    "bad-plan": ["train", "dcgan", "avatars", "--batch", "0"],
}


def printed(argv: list[str]) -> str:
    """The exit code and all that the command says, 100 columns wide, without colour."""
    out = io.StringIO()
    plain = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    with mock.patch.dict(os.environ, plain), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = cli.main(argv)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join([f"exit {code}", *lines]) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, argv in COMMANDS.items():
        (FOLDER / f"{name}.txt").write_text(printed(argv), encoding="utf-8")
