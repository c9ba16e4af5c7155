"""The games there are: the files of `games/`, imported only when asked for."""

from __future__ import annotations

import ast
import importlib
import inspect
import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.core.errors import Refusal, nearest

if TYPE_CHECKING:
    from zerosum.core.game import Game

_FOLDER = Path(__file__).parents[1] / "games"
DEFAULT = "house"


def names() -> list[str]:
    """The names of all games, sorted. Imports nothing."""
    return sorted(p.stem for p in _FOLDER.glob("*.py") if not p.stem.startswith("_"))


def summary(name: str) -> str:
    """The first line of the game's file. Imports nothing."""
    return (ast.get_docstring(ast.parse((_FOLDER / f"{name}.py").read_text(encoding="utf-8"))) or "").split("\n")[0]


def game(name: str) -> type[Game]:
    """The one Game that the file of this name defines. Raises Refusal for an unknown name, with the nearest known."""
    if name not in names():
        raise Refusal(f"no game '{name}'{nearest(name, names())} `zerosum games` lists them.")
    module = importlib.import_module(f"zerosum.games.{name}")
    from zerosum.core.game import Game

    defined = [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, Game) and value.__module__ == module.__name__
    ]
    if len(defined) != 1:
        raise TypeError(f"games/{name}.py defines {len(defined)} games; wanted exactly one.")
    return defined[0]


def config(game_type: type[Game], values: dict[str, Any]) -> Any:
    """The game's config from plain values; lists become tuples where the field is a tuple.

    Raises Refusal for an unknown setting, with the nearest known.
    """
    hints = typing.get_type_hints(game_type.Config)
    for key in values:
        if key not in hints:
            raise Refusal(f"{game_type.name()} has no setting '{key}'{nearest(key, hints)}")
    return game_type.Config(**{k: tuple(v) if _is_tuple(hints[k]) and v is not None else v for k, v in values.items()})


def _is_tuple(hint: Any) -> bool:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(typing.get_origin(option) is tuple for option in options)
