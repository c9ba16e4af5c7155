"""What the verbs share: parsing into a dataclass, JSON or text on the screen, data by name."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import tyro

T = TypeVar("T")


def parse(options: type[T], argv: list[str], verb: str, description: str) -> T:
    """The dataclass `options`, filled in from the command line. Wrong usage exits with 2."""
    return tyro.cli(
        options,
        args=argv,
        prog=f"zerosum {verb}",
        description=description,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
    )


def show(record: Any, as_json: bool, text: str) -> None:
    """Prints the record as JSON, or the text."""
    print(json.dumps(record, indent=2, default=str) if as_json else text)
