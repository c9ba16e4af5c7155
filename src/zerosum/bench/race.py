"""Row race: what house reaches in three minutes and in an hour, against the tutorials' DCGAN after its hour.

Runs are counted in images, and what so many images come to is the same on every machine. Minutes are made of them by
what a picture costs each of the two here, measured in turn in one quiet run. The runs take hours: they are kept in the
cache, and go on where they were stopped.

`python -m zerosum.bench.race` measures the first part alone, three minutes of house against the hour, on avatars with
seed 0, into docs/img/race-first.json; no threshold judges it.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from zerosum import api
from zerosum.bench._curves import Curves, draw
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.files import save_json
from zerosum.core.generator import load
from zerosum.core.machine import choose, describe
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
SCORES = ("fid", "kid_random", "coverage")
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


TUTORIAL = Plan(precision="fp32", layout="contiguous", average=0)  # as any tutorial runs Radford's networks
LENGTHS = {  # images: of the tutorials' hour, house's three minutes and its hour, each with some to spare
    "avatars": (192_000, 57_600, 1_152_000),
    "fruit": (192_000, 57_600, 1_152_000),
    "cifar10": (896_000, 230_400, 4_608_000),
}
CUTS = (32, 12, 30)  # snapshots of each


def racers(name: str, budget: Budget) -> list[Racer]:
    """The tutorials' DCGAN, house for three minutes, house for an hour."""
    images = LENGTHS[name] if budget == "full" else (64,) * 3 if budget == "smoke" else (6_400,) * 3
    every = [max(64, num // cuts) for num, cuts in zip(images, CUTS, strict=True)]
    return [
        Racer("dcgan", images[0], every[0], TUTORIAL),
        Racer("house", images[1], every[1]),
        Racer("house", images[2], every[2]),
    ]


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains and scores all of the racers on all sets: of avatars for each seed, of the others, for their hours, for
    the first."""
    found: list[Measure] = []
    for name, side in SETS.items():
        small = avatars(32, count=128, heldout_count=64, progress=False) if budget == "smoke" else None
        source = small or open_source(name, side, progress=False)
        found += _race(name, source, seeds if name == "avatars" else seeds[:1], budget)
    return found


def _race(name: str, source: Source, seeds: Sequence[int], budget: Budget) -> Iterator[Measure]:
    """The measures of one set: each score of house as a multiple of the tutorials' after an hour."""
    tutorial, sprint, marathon = racers(name, budget)
    slow, fast = pace(source, [tutorial, sprint], repeats=1 if budget == "smoke" else 9)
    spans = ((tutorial, HOUR, slow), (sprint, SHORT, fast), (marathon, HOUR, fast))
    if budget == "full":
        for racer, minutes, rate in spans:
            _long_enough(name, racer, minutes * 60 * rate)
    runs = [[racer.run(source, seed) for seed in seeds] for racer, _, _ in spans]
    panel = Panel(source, n=JUDGED[budget])
    goals, *reached = (
        [score(_at(run, minutes * 60 * rate), panel) for run in its]
        for (_, minutes, rate), its in zip(spans, runs, strict=True)
    )
    for which, scores, keys in (("short", reached[0], SCORES), ("hour", reached[1], SCORES[:2])):
        for key in keys:
            ratios = [max(one[key], 0.0) / max(goal[key], 1e-3) for one, goal in zip(scores, goals, strict=True)]
            yield measure("race", f"{name}_{which}_{key}", ratios, baseline=goals[0][key],
                          baseline_name="the tutorials' after an hour", applies=budget != "smoke",
                          note="" if budget != "smoke" else "too few pictures")  # fmt: skip
    if budget == "full":
        _show(name, panel, (slow, fast, fast), [its[0] for its in runs])


def _long_enough(name: str, racer: Racer, images: float) -> None:
    """Raises Refusal for a run that is over before its time, because this machine is too fast for it."""
    if images > racer.images:
        raise Refusal(
            f"race: {racer.game} plays {images:,.0f} images of {name} in its time here, and its run has "
            f"{racer.images:,}. Lengthen it in bench/race.py."
        )


def pace(source: Source, racers: Sequence[Racer], repeats: int) -> list[float]:
    """Images a second of each racer, in turn: medians. A window holds as many rounds as the rarest turn waits for."""
    torch.set_flush_denormal(True)  # as a run has it
    matches = [racer.match(source) for racer in racers]
    rates: list[list[float]] = [[] for _ in racers]
    for _ in range(repeats + 1):
        for match, its in zip(matches, rates, strict=True):
            begin, before = time.perf_counter(), match.clock.images
            for _ in range(max(4, *(turn.every for turn in match.turns))):
                match.play_round()
            its.append((match.clock.images - before) / (time.perf_counter() - begin))
    return [statistics.median(its[1:]) for its in rates]  # the first warms up


def _at(run: Run, images: float) -> Path:
    """The run's last snapshot within so many images; its first where there is none."""
    return next((path for path in reversed(run.snapshots) if _images(path) <= images), run.snapshots[0])


def _images(snapshot: Path) -> int:
    return int(snapshot.stem.partition("-")[2])


def score(snapshot: Path, panel: Panel) -> dict[str, float]:
    """FID (0 of too few pictures), both KIDs and coverage; kept beside the snapshot."""
    kept = snapshot.with_suffix(f".{panel.n}.json")
    if not kept.is_file():
        pixels = load(snapshot).sample(panel.n, seed=1000)
        made = panel.gallery(pixels)
        scores = panel.judge(made)
        found = {key: scores[key]["value"] for key in ("kid", "kid_random", "coverage")}
        found["fid"] = Further(panel, pixels, made).fid()["value"] if panel.n > FEWEST else 0.0
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


def first(name: str = "avatars", seed: int = 0) -> dict:
    """The tutorials' DCGAN after its hour and house after three minutes: images drawn, seconds, scores of each."""
    source = open_source(name, SETS[name], progress=False)
    racing = racers(name, "full")[:2]
    rates = pace(source, racing, repeats=9)
    panel, found = Panel(source, n=JUDGED["full"]), {}
    for racer, minutes, rate in zip(racing, (HOUR, SHORT), rates, strict=True):
        run = racer.run(source, seed)
        snapshot = _at(run, minutes * 60 * rate)
        found[racer.game] = {"minutes": minutes, "rate": rate, "images": _images(snapshot), **score(snapshot, panel)}
        save_png(load(snapshot).grid(64, seed=0), IMAGES / f"race-first-{racer.game}.png")
    return {"data": name, "seed": seed, "judged": panel.n, "machine": describe(), **found}


if __name__ == "__main__":
    told = first()
    save_json(IMAGES / "race-first.json", told)
    print(json.dumps(told, indent=2))
