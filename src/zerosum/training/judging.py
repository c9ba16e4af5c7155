"""Who judges the snapshots of a run, and which of them is kept as the best."""

from __future__ import annotations

import shutil

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.files import written
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.metrics.panel import JUDGES, Panel
from zerosum.training.patience import candidates, chosen
from zerosum.training.screen import Screen


def judges(source: Source, plan: Plan, screen: Screen) -> Panel | None:
    """The judges of a run on pictures; without the network's weights the untrained one alone. None if none is wanted,
    or if the pictures are too few; why, the screen says."""
    if not plan.score:
        return None
    refusal = None
    for names in (JUDGES, ("random",)):
        try:
            with screen.busy("preparing the judges"):
                panel = Panel(source, n=plan.score, judges=names)
        except Refusal as error:
            refusal = error
            continue
        if refusal is not None:
            screen.say(f"judged by {' and '.join(names)} alone: {refusal}")
        return panel
    useless = "; --stop cannot act" if plan.stop else ""
    screen.say(f"not judged while it trains: {refusal}{useless}")
    return None


def keep_best(run: Run, newest: str, keep: int) -> None:
    """The earliest snapshot that cannot be told from the best becomes best.safetensors; without scores, the newest.

    Removes all but the last `keep` and those that later scores may yet make the best.
    """
    scored = [line for line in run.metrics() if (run.path / line["snapshot"]).is_file()]
    found = chosen(scored)
    best = found["snapshot"] if found else newest
    with written(run.path / "best.safetensors") as temporary:
        shutil.copyfile(run.path / best, temporary)
    for old in run.snapshots[:-keep]:
        if old.name not in {best, *candidates(scored)}:
            old.unlink()
