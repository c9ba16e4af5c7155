"""Make a run's report.html anew: pictures, scores, film, charts, settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from zerosum.cli._common import parse, show


@dataclass(frozen=True)
class Options:
    """What `zerosum report` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, such as runs/00000-dcgan-photos. It need not be finished."""
    json: bool = False
    """Print JSON: {"report": path}."""


def main(argv: list[str]) -> int | None:
    """Writes the report and prints its path. Raises Refusal if the folder is not a run's."""
    options = parse(Options, argv, "report", __doc__)
    from zerosum.core.run import Run
    from zerosum.report.page import write_report

    path = write_report(Run.open(options.run))
    show({"report": str(path)}, options.json, str(path))
    return 0
