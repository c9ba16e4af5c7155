"""Make a run's moving pictures: evolution strip, training film, loss chart; a walk; what the judge looks at."""

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
    walk: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(optional)")] = None
    """Film a walk through latent space too: a loop through N made pictures, drawn by the best snapshot. 8 is usual."""
    seconds: Annotated[float | None, tyro.conf.arg(metavar="S", help_behavior_hint="(default: 1.5 a picture)")] = None
    """How long the walk is."""
    fps: int = 30
    """Frames a second of the walk, 1 to 60."""
    looks: bool = False
    """Draw what the discriminator looks at too: real and made pictures, each beside a heat map."""
    faces: int = 6
    """Rows of the evolution strip, each the same noise from the first grid to the last; a grid has 36."""
    every: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: ten columns)")] = None
    """A column of the strip each N images; 128000 is the animated-faces tutorial's."""
    seed: int = 0
    """Decides where the walk leads, and the made pictures of --looks."""
    out: Annotated[
        Path | None,
        tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: RUN/walk.mp4, RUN/training.mp4)"),
    ] = None
    """Where the walk goes, or without --walk the training film; a name in .mp4, .gif or .webp."""
    json: bool = False
    """Print JSON: {"evolution", "training", "losses", "walk", "looks": path}; null for what is not made."""


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
    from zerosum.report.looks import looks

    if "columns" in run.info["shape"]:
        raise Refusal(f"{run.path}: a table's rows are no pictures to animate. Its losses: zerosum report {run.path}")
    walks = options.walk is not None
    made: dict[str, Path | None] = dict.fromkeys(("evolution", "training", "losses", "walk", "looks"))
    if walks or options.looks:  # first: what these refuse should not come after the work of the others
        player = generator.load(options.run)
    if options.looks:
        made["looks"] = looks(run, player, seed=options.seed)
    if options.walk is not None:
        out = options.out or run.path / "walk.mp4"
        made["walk"] = latent_walk(player, out, options.walk, options.seconds, options.fps, options.seed)
    if run.grids or not (walks or options.looks):
        made["evolution"] = evolution_strip(run, options.faces, every=options.every)
        made["training"] = training_film(run, None if walks else options.out)
    with contextlib.suppress(Refusal):  # a log may come later than the first grid
        made["losses"] = loss_chart(run)
    return made
