"""List the games, or show one."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import tyro

from zerosum.cli._common import parse, show
from zerosum.core import catalog


@dataclass(frozen=True)
class Options:
    """Which games there are."""

    game: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[GAME]", help_behavior_hint="")] = None
    """Show this one in full."""
    json: bool = False
    """Print JSON."""


def main(argv: list[str]) -> None:
    """`zerosum games [GAME]`."""
    options = parse(Options, argv, "games", "List the games, or show one.")
    if options.game is None:
        found = {name: catalog.summary(name) for name in catalog.names()}
        show(found, options.json, "\n".join(f"{name:<10} {summary}" for name, summary in found.items()))
        return
    about = inspect.getdoc(catalog.game(options.game)) or ""
    show({options.game: about}, options.json, f"{about}\n\nSettings: zerosum train {options.game} --help")
