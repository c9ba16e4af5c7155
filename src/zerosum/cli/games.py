"""List the games, or show one."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import tyro

from zerosum.cli._common import parse, show
from zerosum.core import catalog

_ADVICE = (
    f"For a first run, and for your own pictures in minutes: {catalog.DEFAULT}, which plays where no game is named.\n"
    "The others are papers: to learn from, to compare, to reproduce. More about one: zerosum games NAME"
)


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
        lines = [f"{name:<10} {summary}" for name, summary in found.items()]
        show(found, options.json, "\n".join([*lines, "", _ADVICE]))
        return
    name, about = options.game, inspect.getdoc(catalog.game(options.game)) or ""
    use = f"Use:       zerosum train {name} photos/ --minutes 10\nSettings:  zerosum train {name} --help"
    show({name: about}, options.json, f"{catalog.summary(name)}\n\n{use}\n\n{about}")
