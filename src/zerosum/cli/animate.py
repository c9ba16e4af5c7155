"""Make a run's moving pictures: evolution strip, training film, loss chart; with --walk a tour of latent space."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from zerosum.cli._common import parse, show

if TYPE_CHECKING:
    from zerosum.core.run import Run


@dataclass(frozen=True)
class Options:
    """What `zerosum animate` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run's folder, such as runs/00000-dcgan-photos. It need not be finished."""
    walk: bool = False
    """Film a walk through latent space too: a loop from picture to picture, drawn by the best snapshot."""
    seconds: float = 8.0
    """How long the walk is, in seconds."""
    seed: int = 0
    """Decides where the walk leads."""
    out: Annotated[
        Path | None,
        tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: RUN/walk.mp4, RUN/training.mp4)"),
    ] = None
    """Where the walk goes, or without --walk the training film; a name in .mp4, .gif or .webp."""
    json: bool = False
    """Print JSON: {"evolution": path, "training": path, "losses": path, "walk": path}; null for what is not made."""


def main(argv: list[str]) -> int | None:
    """Makes the pictures and prints their paths. Raises Refusal where the run holds nothing to show yet."""
    options = parse(Options, argv, "animate", __doc__)
    from zerosum.core.plan import check_seed
    from zerosum.core.run import Run

    check_seed(options.seed)
    made = _make(Run.open(options.run), options)
    record = {name: str(path) if path else None for name, path in made.items()}
    show(record, options.json, "\n".join(path for path in record.values() if path))
    return 0


def _make(run: Run, options: Options) -> dict[str, Path | None]:
    import contextlib

    from zerosum.core import generator
    from zerosum.core.errors import Refusal
    from zerosum.report.charts import loss_chart
    from zerosum.report.film import evolution_strip, latent_walk, training_film

    made: dict[str, Path | None] = dict.fromkeys(("evolution", "training", "losses", "walk"))
    if options.walk:  # first: what it refuses should not come after the work of the others
        player = generator.load(options.run)
        made["walk"] = latent_walk(player, options.out or run.path / "walk.mp4", options.seconds, options.seed)
    if run.grids or not options.walk:
        made["evolution"] = evolution_strip(run)
        made["training"] = training_film(run, None if options.walk else options.out)
    with contextlib.suppress(Refusal):  # a log may come later than the first grid
        made["losses"] = loss_chart(run)
    return made
