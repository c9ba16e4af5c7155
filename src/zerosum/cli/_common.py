"""What the verbs share: parsing into a dataclass, what options mean, JSON or text on the screen."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from zerosum.core.errors import Refusal

T = TypeVar("T")

_REGISTRY = ConstructorRegistry()


def parse(options: type[T], argv: list[str], verb: str, description: str) -> T:
    """The dataclass `options`, filled in from the command line. Wrong usage exits with 2."""
    return tyro.cli(
        options,
        args=argv,
        prog=f"zerosum {verb}",
        description=description,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
        registry=_REGISTRY,
    )


def named(kind: type, before: str = "") -> type:
    """The dataclass `kind` for the parser: options of a dataclass within it begin with its name, as --levers.soft."""
    hints = get_type_hints(kind, include_extras=True)
    fields: list[tuple[str, Any, Any]] = []
    for each in dataclasses.fields(kind):
        hint, name = hints[each.name], f"{before}{each.name}"
        if dataclasses.is_dataclass(hint):
            within, given = named(hint, f"{name}."), dataclasses.asdict(each.default)  # type: ignore[arg-type]
            fields.append((each.name, within, field(default=within(**given))))
        elif before:
            fields.append((each.name, Annotated[hint, tyro.conf.arg(name=name)], field(default=each.default)))
    return make_dataclass(kind.__name__, fields, bases=(kind,), namespace={"__doc__": kind.__doc__}, frozen=True)


def resolution(given: tuple[int, ...]) -> tuple[int, int]:
    """Height and width from what stands after --resolution. Raises Refusal for but one number or two, 4 to 4096."""
    from zerosum.data.pictures import sides

    return sides(given[0] if len(given) == 1 else given)  # type: ignore[arg-type]


def refuse_within(data: str | Path, option: str, place: Path) -> None:
    """Raises Refusal for a drawing that would lie in the data's folder."""
    from zerosum.data.catalog import lies_in

    if lies_in(place, data):
        raise Refusal(
            f"{option} {place} lies in {data}: the drawing would become a picture to learn from. Name a place outside."
        )


def say_what_is_replaced(*places: Path) -> None:
    """On stderr: which of the files are there already."""
    for path in places:
        if path.exists():
            print(f"replaced: {path}", file=sys.stderr)


def show(record: Any, as_json: bool, text: str) -> None:
    """Prints the record as JSON, or the text."""
    print(json.dumps(record, indent=2, default=str) if as_json else text)


@_REGISTRY.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """Reads numbers, those that may be left open and rows of them, as the parser would, but says in plain words what
    is none; its own words are of Python's types."""
    rows: list[Any] = [tuple[int, ...], tuple[int, ...] | None]
    kinds: dict[Any, type] = {int: int, int | None: int, float: float, float | None: float, **dict.fromkeys(rows, int)}
    if info.type not in kinds:
        return None
    kind, is_row = kinds[info.type], info.type in rows

    def read(words: list[str]) -> Any:
        numbers = tuple(_read(kind, word) for word in words)
        return numbers if is_row else numbers[0]

    return PrimitiveConstructorSpec(
        nargs="*" if is_row else 1,
        metavar=f"[{kind.__name__.upper()} ...]" if is_row else kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: type(value) in (tuple, type(None)) if is_row else isinstance(value, info.type | int),
        str_from_instance=lambda value: [str(v) for v in (value if type(value) is tuple else [value])],
    )


def _read(kind: type, word: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise ValueError(f"wanted a {'whole ' if kind is int else ''}number, not '{word}'.") from None
