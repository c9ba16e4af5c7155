"""Measure a row against its baseline on real data, and say whether it passes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Annotated

import tyro

from zerosum.bench import _frame
from zerosum.cli._common import parse


@dataclass(frozen=True)
class Options:
    """Which row, and how thoroughly."""

    row: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[ROW]", help_behavior_hint="")] = None
    """The row to measure; without it, all rows are listed with their last result."""
    smoke: bool = False
    """A few seconds: only whether the bench works. Nothing is saved."""
    quick: bool = False
    """About two minutes, for a developer."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Each is a run of its own; the worst counts."""
    json: bool = False
    """Print the record as JSON."""


def main(argv: list[str]) -> int:
    """`zerosum bench [ROW]`: 0 if the row passes, 1 if it falls short."""
    options = parse(Options, argv, "bench", "Measure a row against its baseline on real data.")
    if options.row is None:
        records = _frame.load_records()
        if options.json:
            print(json.dumps(records, indent=2))
        else:
            _print(_listing(records))
        return 0
    budget: _frame.Budget = "smoke" if options.smoke else "quick" if options.quick else "full"
    seeds = options.seeds if budget == "full" else options.seeds[:1]
    record = _frame.run_bench(options.row, budget, seeds)
    if budget != "smoke":
        print(f"written: {_frame.save_record(record)}", file=sys.stderr)
    if options.json:
        print(json.dumps(record, indent=2))
    elif budget == "smoke":
        print(f"{options.row}: the bench works. So short a run measures nothing: --quick, or neither, does.")
    else:
        _print(_frame.table([record]))
    return 1 if record["passes"] is False else 0


def _print(markdown: str) -> None:
    """As it is, for a file; on a terminal, with tables drawn."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(markdown))
    else:
        print(markdown)


def _listing(records: list[dict]) -> str:
    """The page docs/results.md: `make docs` writes it."""
    done = {record["row"] for record in records}
    missing = [f"- {row}: not measured yet; `zerosum bench {row}`" for row in _frame.rows() if row not in done]
    made = [
        f"- `{r['command']}`: {r['seconds']:.0f} s, seeds {', '.join(map(str, r['seeds']))}, commit {r['commit']}, "
        f"{r['machine']['cores']} cores of {r['machine']['processor']} ({', '.join(r['machine']['features'])})"
        for r in records
    ]
    head = "# Results\n\nMade from `bench/results/` by `make docs`; the worst of the seeds counts."
    return "\n".join([head, "", _frame.table(records), "", "Measured by:", "", *made, *missing])
