"""Row dcgan: Radford's networks against PCA-Gaussian on avatars, and how long the tutorial's Keras network needs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from zerosum import api
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Source
from zerosum.core.generator import load
from zerosum.core.machine import choose
from zerosum.core.pictures import save_png
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.metrics.panel import Panel
from zerosum.training.match import Match

GRID = Path("docs/img/dcgan-avatars.png")
DETERMINISTIC = False  # the hours of Keras are measured
KERAS_ITERATIONS = {"smoke": 1, "quick": 1, "full": 20}  # a hundred take half an hour on two cores without AMX


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains radford once a seed (96,000 pictures in full) and plays the first iterations of keras."""
    if budget == "smoke":
        source = avatars(32, count=128, heldout_count=64, progress=False)
        scores = [_score(_radford(source, 2 * 64, seed), source, 64) for seed in seeds]
    else:
        source = avatars(64)
        images, pictures = (9_600, 500) if budget == "quick" else (96_000, 1000)
        scores = [_score(_radford(source, images, seed), source, pictures) for seed in seeds]
    hours = _keras_hours(source, KERAS_ITERATIONS[budget], batch=2 if budget == "smoke" else 128)
    return [*_against_gaussian(scores), measure("dcgan", "keras_hours", [hours])]


def _radford(source: Source, images: int, seed: int) -> Run:
    return cached_run("dcgan", source, Plan(images=images, seed=seed, score=500 if images > 1000 else 0))


def _score(run: Run, source: Source, n: int) -> dict:
    """The panel's scores of the run's last snapshot; the first seed's grid is drawn for the docs."""
    generator = load(run.snapshots[-1])
    if run.info["plan"]["seed"] == 0 and n == 1000:
        GRID.parent.mkdir(parents=True, exist_ok=True)
        save_png(generator.grid(64, seed=0), GRID)
    return Panel(source, n=n).score(generator.sample(n, seed=1000))


def _against_gaussian(scores: Sequence[dict]) -> list[Measure]:
    """Each score as a multiple of what PCA-Gaussian gets in the same judging."""
    found = []
    for name in ("kid", "kid_random", "coverage"):
        values = [s[name]["value"] / max(s[name]["pca_gaussian"], 1e-9) for s in scores]
        baseline = scores[0][name]["pca_gaussian"]
        found.append(measure("dcgan", name, values, baseline=baseline, baseline_name="PCA-Gaussian's score"))
    return found


def _keras_hours(source: Source, iterations: int, batch: int) -> float:
    """Plays the tutorial's first iterations and extrapolates to its 1,280,000 pictures; exact with a batch of 128."""
    game = api.build("dcgan", source, {"network": "keras"}, seed=0)
    plan = Plan(batch=batch, micro=batch).over(game.plan())
    assert plan.images is not None
    match = Match(game, source, plan, choose(plan), total=plan.images)
    begin = time.monotonic()
    for _ in range(iterations):
        match.play_round()
    return (time.monotonic() - begin) / match.clock.images * plan.images / 3600
