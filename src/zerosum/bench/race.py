"""Row race: what house reaches in three minutes and in an hour, against the tutorials' DCGAN after its hour.

Runs are counted in images, and what so many images come to is the same on every machine. Minutes are made of them by
what a picture costs each of the two here, measured in turn in one quiet run. The runs take hours: they are kept in the
cache, and go on where they were stopped.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zerosum import api
from zerosum.bench._curves import Curves, draw
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Source
from zerosum.core.files import save_json
from zerosum.core.generator import load
from zerosum.core.machine import choose
from zerosum.core.pictures import save_png
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.data.catalog import open_source
from zerosum.metrics.frechet import FEWEST
from zerosum.metrics.further import Further
from zerosum.metrics.panel import Panel
from zerosum.training.match import Match
from zerosum.training.recipe import complete

DETERMINISTIC = False  # the minutes are measured
SETS = {"avatars": 64, "fruit": 64, "cifar10": 32}
SHORT, HOUR = 3, 60  # minutes
JUDGED = {"smoke": 64, "quick": 500, "full": 2_500}  # pictures on each side; FID wants more than 2,048
IMAGES = Path("docs/img")


@dataclass(frozen=True)
class Racer:
    """A game as it is raced, so many images long, with a snapshot each so many."""

    game: str
    images: int
    every: int
    plan: Plan = field(default_factory=Plan)
    settings: dict = field(default_factory=dict)

    def run(self, source: Source, seed: int) -> Run:
        """Its run, from the cache or trained now."""
        length = Plan(images=self.images, seed=seed, score=0, save=self.every, keep=1000)
        return cached_run(self.game, source, replace(length, **_given(self.plan)), self.settings)

    def match(self, source: Source) -> Match:
        """Its first round, for timing."""
        game = api.build(self.game, source, self.settings, seed=0)
        plan = complete(game, self.plan)
        return Match(game, source, plan, choose(plan), total=self.images)


def _given(plan: Plan) -> dict:
    return {name: value for name, value in vars(plan).items() if value != getattr(Plan(), name)}


# As any tutorial runs Radford's networks, and 64 minutes of it where 50 images a second were measured.
TUTORIAL = Racer("dcgan", 192_000, 6_000, Plan(precision="fp32", layout="contiguous", average=0.0))
SPRINT = Racer("house", 57_600, 4_800)
MARATHON = Racer("house", 1_152_000, 38_400)


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains and scores all of the racers on all sets: of avatars for each seed, of the others for the first."""
    racers, sets = [TUTORIAL, SPRINT, MARATHON], dict(_sets(budget))
    if budget != "full":
        few = 64 if budget == "smoke" else 6_400
        racers = [replace(racer, images=few, every=few) for racer in racers]
    return [
        found
        for name, source in sets.items()
        for found in _race(name, source, racers, seeds if name == "avatars" else seeds[:1], budget)
    ]


def _sets(budget: Budget) -> Iterator[tuple[str, Source]]:
    if budget == "smoke":
        yield "avatars", avatars(32, count=128, heldout_count=64, progress=False)
        return
    for name, side in SETS.items():
        yield name, open_source(name, side, progress=False)


def _race(
    name: str, source: Source, racers: Sequence[Racer], seeds: Sequence[int], budget: Budget
) -> Iterator[Measure]:
    """The measures of one set: each score of house as a multiple of the tutorials' after an hour."""
    sprint = racers[1]
    rates = pace(source, racers, repeats=1 if budget == "smoke" else 9)
    runs = [[racer.run(source, seed) for seed in seeds] for racer in racers]
    panel = Panel(source, n=JUDGED[budget])
    goals = [score(_at(run, HOUR * 60 * rates[0]), panel) for run in runs[0]]
    for racer, minutes, rate, its in ((sprint, SHORT, rates[1], runs[1]), (racers[2], HOUR, rates[2], runs[2])):
        found = [score(_at(run, minutes * 60 * rate), panel) for run in its]
        for key in goals[0]:
            ratios = [one[key] / goal[key] for one, goal in zip(found, goals, strict=True)]
            which = "short" if racer is sprint else "hour"
            told = measure("race", f"{which}_{key}", ratios, baseline=goals[0][key],
                           baseline_name="the tutorials' after an hour")  # fmt: skip
            yield replace(told, name=f"{name}_{which}_{key}")
    if budget == "full":
        _show(name, panel, rates, [its[0] for its in runs])


def pace(source: Source, racers: Sequence[Racer], repeats: int) -> list[float]:
    """Images a second of each racer, in turn: medians."""
    matches = [racer.match(source) for racer in racers]
    for match in matches:
        match.play_round()
    rates: list[list[float]] = [[] for _ in racers]
    for _ in range(repeats):
        for match, its in zip(matches, rates, strict=True):
            begin, before = time.perf_counter(), match.clock.images
            while match.clock.images < before + 128:
                match.play_round()
            its.append((match.clock.images - before) / (time.perf_counter() - begin))
    return [statistics.median(its) for its in rates]


def _at(run: Run, images: float) -> Path:
    """The run's last snapshot within so many images; its first where there is none."""
    return next((path for path in reversed(run.snapshots) if _images(path) <= images), run.snapshots[0])


def _images(snapshot: Path) -> int:
    return int(snapshot.stem.partition("-")[2])


def score(snapshot: Path, panel: Panel) -> dict[str, float]:
    """FID where there are pictures enough, KID on the untrained judge, coverage; kept beside the snapshot."""
    kept = snapshot.with_suffix(f".{panel.n}.json")
    if not kept.is_file():
        pixels = load(snapshot).sample(panel.n, seed=1000)
        made = panel.gallery(pixels)
        scores = panel.judge(made)
        found = {"kid": scores["kid"]["value"], "kid_random": scores["kid_random"]["value"],
                 "coverage": scores["coverage"]["value"]}  # fmt: skip
        if panel.n > FEWEST:
            found["fid"] = Further(panel, pixels, made).fid()["value"]
        save_json(kept, found)
    return json.loads(kept.read_text(encoding="utf-8"))


def _show(name: str, panel: Panel, rates: Sequence[float], runs: Sequence[Run]) -> None:
    """The curves over minutes, and the three grids, for the docs."""
    few = Panel(panel.source, n=1000)
    curves: dict[str, dict] = {"kid_random": {}, "coverage": {}}
    titles = ("DCGAN as in tutorials", "house, 3 minutes", "house, an hour")
    for title, rate, run in zip(titles, rates, runs, strict=True):
        scores = [score(path, few) for path in run.snapshots]
        minutes = [_images(path) / rate / 60 for path in run.snapshots]
        for key, its in curves.items():
            its[title] = (minutes, [one[key] for one in scores])
        save_png(load(run.snapshots[-1]).grid(64, seed=0), IMAGES / f"race-{name}-{titles.index(title)}.png")
    told = {"kid_random": "KID on an untrained network", "coverage": "coverage"}
    draw(
        [Curves(told[key], "minutes", its, ("log", "log")) for key, its in curves.items()], IMAGES / f"race-{name}.png"
    )
