"""Row progan: at 128 pixels, its scores beside dcgan's after equal minutes; and runs stopped within a fade."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from zerosum.bench._costs import Noise
from zerosum.bench._frame import Budget, Measure, beside, cached_run, measure
from zerosum.core.batch import DataShape, Images, Source
from zerosum.core.checkpoint import newest
from zerosum.core.generator import load
from zerosum.core.pictures import save_png
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.games.progan import ProGAN, Settings
from zerosum.metrics.panel import Panel
from zerosum.training import trainer

DETERMINISTIC = False  # the minutes are measured
PLANS = {"smoke": Plan(images=64, batch=16), "quick": Plan(minutes=1), "full": Plan(minutes=20)}
JUDGED = {"smoke": 64, "quick": 200, "full": 1000}  # pictures on each side
SCORES = ("kid", "kid_random", "coverage")
STOPS = {"smoke": 1, "quick": 2, "full": 6}  # rounds within fades after which a run is stopped
FADING = 12  # rounds of such a run within its two fades
IMAGES = Path("docs/img")
NOISE = Noise(Images, DataShape(16, 16, 3))  # nothing is learnt on it but all is played


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains progan and dcgan on avatars at 128 pixels, and stops small runs."""
    differ = [_differing(seed, STOPS[budget]) for seed in seeds]
    return [*after_equal_minutes("progan", budget, seeds), measure("progan", "resumed", differ)]


def after_equal_minutes(row: str, budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """The scores of a game beside dcgan's, both trained for the same minutes; and its time beside dcgan's, for a trial
    decides before the run what fits into the minutes."""
    small = avatars(32, count=128, heldout_count=64, progress=False) if budget == "smoke" else None
    source = small or avatars(128)
    panel = Panel(source, n=JUDGED[budget])
    ours, theirs = ([_trained(game, source, budget, seed) for seed in seeds] for game in (row, "dcgan"))
    if budget == "full":
        save_png(load(ours[0].snapshots[-1]).grid(36, seed=0), IMAGES / f"{row}-avatars.png")
    of_ours, of_theirs = ([_score(run, panel) for run in runs] for runs in (ours, theirs))
    times = [_seconds(a) / _seconds(b) for a, b in zip(ours, theirs, strict=True)]
    return [*beside(row, of_ours, of_theirs, "dcgan", SCORES), measure(row, "time", times)]


def _trained(game: str, source: Source, budget: Budget, seed: int) -> Run:
    return cached_run(game, source, replace(PLANS[budget], seed=seed, score=0))


def _score(run: Run, panel: Panel) -> dict:
    return panel.score(load(run.snapshots[-1]).sample(panel.n, seed=1000))


def _seconds(run: Run) -> float:
    return run.times()[-1]["seconds"]


def _differing(seed: int, stops: int) -> int:
    """Of runs stopped within a fade and gone on with: how many end in other networks than the run that was not."""
    plan, found = Plan(images=256, batch=8, save=8, seed=seed, precision="fp32", score=0), 0
    with tempfile.TemporaryDirectory() as folder:
        whole = _play(Run(Path(folder) / "whole"), plan, Noted())
        for stop in range(stops):
            run = Run(Path(folder) / str(stop))
            training = trainer.Training(game := _small(seed), NOISE, run, plan, trainer.Silent())
            met = -1  # rounds within fades so far
            while met < stop * FADING // STOPS["full"]:
                training.play_round()
                met += 0 < float(game.G.depth) % 1 < 1
            screen = Noted()
            found += not _equal(_play(run, plan, screen), whole) or screen.done != training.match.clock.images
    return found


class Noted(trainer.Silent):
    """Keeps how many images were drawn where the run went on: one that began anew would come to the same end."""

    done = -1

    def start(self, total: int, done: int) -> None:
        """See Screen."""
        self.done = done


def _small(seed: int) -> ProGAN:
    torch.manual_seed(seed)
    return ProGAN(Settings(z=8, width=2, growth=0.8), NOISE.shape)


def _play(run: Run, plan: Plan, screen: trainer.Silent) -> dict[str, torch.Tensor]:
    """The networks with which the run ends."""
    trainer.train(_small(plan.seed), NOISE, run, plan, screen)
    last, _ = newest(run.path / "state")
    assert last is not None
    return last.tensors("game")


def _equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
