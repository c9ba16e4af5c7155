"""The family of games: what each is, what it plays on, what a step costs, when to use it; or one in full."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from zerosum.cli._common import parse, show
from zerosum.core import catalog, family
from zerosum.core.family import Card, Cost

_LEFT = 28  # columns left of the words: name, year, cost
_WIDEST = 120  # columns; longer lines are hard to read
_ADVICE = (
    f"For a first run, and for your own pictures in minutes: {catalog.DEFAULT}, which plays where no game is named. "
    "The others are papers: to learn from, to compare, to reproduce; each stands under the one that it grew out of. "
    "Cost: the time for a real picture drawn, as a multiple of dcgan's. More about one: zerosum games NAME"
)


@dataclass(frozen=True)
class Options:
    """Which games there are."""

    game: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[GAME]", help_behavior_hint="")] = None
    """Show this one in full."""
    json: bool = False
    """Print JSON: {game: {"name", "title", "year", "plays_on", "stems_from", "when", "cost", "about"}}."""


def main(argv: list[str]) -> None:
    """`zerosum games [GAME]`."""
    options = parse(Options, argv, "games", __doc__ or "")
    if options.game is None:
        tree = list(family.tree())
        text = "\n".join([f"{'':<{_LEFT - 12}}year  cost", *(_entry(*one) for one in tree), "", _filled(_ADVICE, 0)])
        show({card.name: asdict(card) for _, card in tree}, options.json, text)
        return
    card = family.card(options.game)
    show({card.name: asdict(card)}, options.json, _in_full(card))


def _entry(generation: int, card: Card) -> str:
    """A game's lines in the tree."""
    name = "  " * generation + card.name
    left = f"{name:<{_LEFT - 12}}{card.year}  {_cost(card):>4}  "
    return left + _filled(f"{card.title} Plays on {card.plays_on}. {card.when}", _LEFT).lstrip()


def _in_full(card: Card) -> str:
    children = [other.name for _, other in family.tree() if other.stems_from == card.name]
    data = "DATA DATA" if "two sets" in card.plays_on else "DATA"
    facts = {
        "Year": str(card.year),
        "Plays on": card.plays_on,
        "Grew out of": card.stems_from or "",
        "Led to": ", ".join(children),
        "Cost": _measured(card.cost) if card.cost else "",
        "When": card.when,
        "Use": f"zerosum train {card.name} {data} --minutes 10",
        "Settings": f"zerosum train {card.name} --help",
    }
    lines = [f"{name + ':':<13}{_filled(said, 13).lstrip()}" for name, said in facts.items() if said]
    return "\n".join([card.title, "", *lines, "", card.about])


def _measured(cost: Cost) -> str:
    span = f"between {cost.low:.2g} and {cost.high:.2g}; " if cost.low < cost.high else ""
    return f"{cost.times:.2g} times dcgan's for a real picture drawn ({span}{cost.where})"


def _cost(card: Card) -> str:
    return "-" if card.cost is None else f"{card.cost.times:.2g}"


def _filled(text: str, left: int) -> str:
    """The text in lines as wide as the terminal, each after `left` blanks."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.fill(text, max(width, left + 30), initial_indent=" " * left, subsequent_indent=" " * left)
