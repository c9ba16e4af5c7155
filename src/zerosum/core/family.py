"""What each game says of itself, and the tree that they grow on: read off the files, of which none is imported."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zerosum.core import catalog

_BATCHES = Path(__file__).with_name("batch.py")
COSTS = catalog.file(catalog.DEFAULT).with_name("costs.json")


@dataclass(frozen=True)
class Cost:
    """The time that a real picture drawn costs a game, as a multiple of dcgan's, and what it was measured on."""

    times: float  # the median
    low: float
    high: float
    where: str


@dataclass(frozen=True)
class Card:
    """A game in short."""

    name: str
    title: str  # the first line of its file
    year: int  # the first in its docstring
    plays_on: str  # in words
    stems_from: str | None
    when: str  # to use it
    cost: Cost | None  # None where it was not measured
    about: str  # its docstring


def card(name: str) -> Card:
    """What the game's file says. Raises Refusal for an unknown name, with the nearest known."""
    module = ast.parse(catalog.file(name).read_text(encoding="utf-8"))
    game = next(c for c in _classes(module) if any(isinstance(b, ast.Name) and b.id == "Game" for b in c.bases))
    told, about = _values(game), inspect.cleandoc(ast.get_docstring(game) or "")
    year = re.search(r"\b(19|20)\d\d\b", about)
    return Card(
        name=name,
        title=catalog.summary(name),
        year=int(year[0]) if year else 0,
        plays_on=" or ".join(_kinds()[kind] for kind in _names(told.get("plays_on"))) or _kinds()["Images"],
        stems_from=ast.literal_eval(told["stems_from"]) if "stems_from" in told else None,
        when=ast.literal_eval(told["when"]) if "when" in told else "",
        cost=costs().get(name),
        about=about,
    )


def tree() -> Iterator[tuple[int, Card]]:
    """Every game with its generation, 0 for those that stem from none: each before what grew out of it, the oldest
    first."""
    cards = [card(name) for name in catalog.names()]

    def grown(parent: str | None, generation: int) -> Iterator[tuple[int, Card]]:
        for one in sorted((c for c in cards if c.stems_from == parent), key=lambda c: (c.year, c.name)):
            yield generation, one
            yield from grown(one.name, generation + 1)

    return grown(None, 0)


def costs() -> dict[str, Cost]:
    """What was measured, from costs.json, as `python -m zerosum.bench._costs` wrote it."""
    return {name: Cost(**cost) for name, cost in json.loads(COSTS.read_text(encoding="utf-8")).items()}


def _classes(module: ast.Module) -> list[ast.ClassDef]:
    return [node for node in module.body if isinstance(node, ast.ClassDef)]


def _values(node: ast.ClassDef) -> dict[str, ast.expr]:
    """The class's own attributes."""
    return {
        target.id: statement.value
        for statement in node.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def _names(expression: ast.expr | None) -> list[str]:
    """The names in `Images | Table`."""
    return [node.id for node in ast.walk(expression or ast.Constant(None)) if isinstance(node, ast.Name)]


def _kinds() -> dict[str, str]:
    """What each kind of batch is called."""
    values = {c.name: _values(c) for c in _classes(ast.parse(_BATCHES.read_text(encoding="utf-8")))}
    return {name: ast.literal_eval(told["called"]) for name, told in values.items() if "called" in told}
