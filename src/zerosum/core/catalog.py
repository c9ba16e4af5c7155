"""The games there are: the files of `games/`, imported only when asked for."""

from __future__ import annotations

import ast
import dataclasses
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
    return (ast.get_docstring(ast.parse(file(name).read_text(encoding="utf-8"))) or "").split("\n")[0]


def file(name: str) -> Path:
    """The game's file. Raises Refusal for an unknown name, with the nearest known."""
    if name not in names():
        raise Refusal(f"no game '{name}'{nearest(name, names())} `zerosum games` lists them.")
    return _FOLDER / f"{name}.py"


def game(name: str) -> type[Game]:
    """The one Game that the file of this name defines. Raises Refusal for an unknown name, with the nearest known."""
    file(name)
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
    """The game's config from plain values; lists become tuples where the field is a tuple, and mappings the dataclass
    that the field is.

    Raises Refusal for an unknown setting, with the nearest known.
    """
    return _filled(game_type.Config, values, game_type.name())


def _filled(kind: type, values: dict[str, Any], owner: str) -> Any:
    """The dataclass `kind` from plain values; `owner` is whose settings these are, in words."""
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise Refusal(f"{owner} has no setting '{key}'{nearest(key, hints)}")
    return kind(**{key: _as_field(hints[key], value, f"{owner}'s {key}") for key, value in values.items()})


def _as_field(hint: Any, value: Any, owner: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and not isinstance(value, hint):
        if not isinstance(value, dict):
            raise Refusal(f"{owner}: wanted settings by name, such as {{'{dataclasses.fields(hint)[0].name}': ...}}.")
        return _filled(hint, value, owner)
    return tuple(value) if _is_tuple(hint) and value is not None else value


def _is_tuple(hint: Any) -> bool:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return any(typing.get_origin(option) is tuple for option in options)
