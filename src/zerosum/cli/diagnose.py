"""Say in plain words what ails a run, since when, why, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from zerosum.cli._common import parse, show

if TYPE_CHECKING:
    from zerosum.training.record import Record

BLOCKS = "▁▂▃▄▅▆▇█"
GAUGE = 20  # characters


@dataclass(frozen=True)
class Options:
    """Which run."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's folder, finished or not."""
    json: bool = False
    """Print JSON."""


def main(argv: list[str]) -> None:
    """`zerosum diagnose RUN`."""
    options = parse(Options, argv, "diagnose", __doc__ or "")
    from zerosum.core.run import Run
    from zerosum.training.monitor import diagnosis
    from zerosum.training.record import Record

    record = Record.of(Run.open(options.run))
    found = diagnosis(record)
    show(found, options.json, text(record, found))


def text(record: Record, found: dict[str, Any]) -> str:
    """What is printed: the run, its findings, the balance of the players, and the outlook."""
    info = record.info
    drawn = info["total"] if info.get("finished") and not record.looks else min(record.images, info["total"])
    head = f"{info['game']} on {info['data']['name']}, {drawn:,} of {info['total']:,} images"
    if not record.looks and info.get("finished"):
        return f"{head}\n\nNobody looked at it: the run was too short, or nothing in this game draws from noise."
    if not record.looks:
        return f"{head}\n\nNobody has looked at it yet: there is a look each 500 images at the least. Train further."
    accused = [finding for finding in found["findings"] if finding["severity"] != "note"]
    parts = [head, *([] if accused else [found["well"]]), *map(_told, found["findings"])]
    return "\n\n".join([*parts, _balance(found["balance"]), f"Outlook  {found['outlook']['text']}"])


def _told(finding: dict[str, Any]) -> str:
    lines = [
        f"{finding['kind'].replace('_', ' ').upper()} ({finding['severity']}), since {finding['since']:,} images",
        f"  {finding['says']}",
        f"  Why  {finding['why']}",
        f"  Do   {finding['remedy']}",
    ]
    curves = [(name, values) for name, values in finding["evidence"].items() if name != "images"]
    return "\n".join([*lines, *(f"  {name:<13}{sparkline(values)}" for name, values in curves)])


def _balance(share: float | None) -> str:
    """The discriminator's successes as a gauge: at 50 % it can tell nothing, at 100 % it is never wrong."""
    if share is None:
        return "Balance  this run keeps no judge"
    mark = round(min(1.0, max(0.0, 2 * share - 1)) * (GAUGE - 1))
    gauge = "".join("●" if i == mark else "─" for i in range(GAUGE))
    return f"Balance  50 % {gauge} 100 %   the discriminator tells real from made in {100 * share:.0f} % of pairs"


def sparkline(values: list[float | None], width: int = 40) -> str:
    """The curve in small blocks, with its first and last value; what could not be measured is a gap."""
    kept = values[:: max(1, -(-len(values) // width))]
    known = [value for value in kept if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    blocks = "".join(" " if value is None else BLOCKS[round((value - low) * scale)] for value in kept)
    return f"{blocks}  {known[0]:.3g} to {known[-1]:.3g}"
