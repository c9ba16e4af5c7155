"""Row collapse: how many modes are reached with and without each lever, of 25 Gaussians and of stacked digits; and how
soon a run that collapses is told so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum import api
from zerosum.bench import _points
from zerosum.bench._classifier import Classifier, classifier
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Batch, DataShape, Images, Source
from zerosum.core.files import digest, written
from zerosum.core.game import Clock, Game
from zerosum.core.generator import load
from zerosum.core.pictures import grid, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.data.mnist import mnist
from zerosum.data.pictures import Pictures
from zerosum.report.charts import LIGHT, blank, to_png
from zerosum.training import trainer

DOCS = Path("docs/img")
SLOW = {"ttur": 0.1}  # D learns at a tenth of G's rate: G settles on whatever D likes best at the moment
GAN = {"z": 2, "width": 64, "rate": 1e-3}
DCGAN = {"z": 64, "width": 16, "rate": 1e-3}
LEVERS: Mapping[str, dict] = {  # what is pulled, by name
    "without": {},
    "deviation": {"deviation": True},
    "discrimination": {"discrimination": 16},
    "pack": {"pack": 2},
    "seek": {"seek": 1.0},
    "spectral": {"spectral": True},
    "r1": {"r1": 0.1},
}
ON_DIGITS = ("without", "deviation", "discrimination", "pack", "seek")
PRINTED = ("spectral", "r1")  # levers of balance, which promise nothing here
LOOKS = 20
SAMPLES = 26_000  # stacked digits judged: 26 a mode
WATCHED = {  # runs that are made to collapse: the game, its settings, its batch; how many times its rate G plays at
    "ring": ("gan", {"z": 2, "width": 64, "rate": 2e-3}, 8, 30),
    # at 30 and 100 times it often recovers, and so it would if it were to redraw real digits
    "digits": ("house", {"z": 64, "width": 16, "rate": 2e-3, "redraw": 0.0}, 32, 300),
}
NAMES = ("mode_collapse", "divergence")  # made pictures that are all alike; coverage that was there and is gone
LASTING = 4  # looks
ASKED = 500  # pictures or points by which it is known how many modes there are
Found = dict[str, list[float]]  # by lever, a value a seed


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """The remedies, and detection."""
    return [*remedies_on_points(budget, seeds), *remedies_on_digits(budget, seeds), *detection(budget, seeds)]


# ---------------------------------------------------------------------------------------------------- 25 Gaussians


def remedies_on_points(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """The grid, with gan: modes reached, and the share of good samples, with and without each lever."""
    rounds, count = {"smoke": (4, 1), "quick": (400, LOOKS), "full": (1_500, LOOKS)}[budget]
    played = {name: [_looks(levers, rounds, seed, count) for seed in seeds] for name, levers in LEVERS.items()}
    if budget == "full":
        _draw({name: by_seed[0][-1] for name, by_seed in played.items()})
    modes = {name: [_late(looks, "modes") for looks in by_seed] for name, by_seed in played.items()}
    good = {name: [100 * _late(looks, "good") for looks in by_seed] for name, by_seed in played.items()}
    return [
        *_beside("modes", modes, dict.fromkeys(PRINTED, "a lever of balance, for comparison")),
        *_beside("good", good, dict.fromkeys(LEVERS, "a minute's play makes no sharp points")),
    ]


def _late(looks: Sequence[dict], what: str) -> float:
    """The mean over the second half of the looks: modes come and go."""
    return float(np.mean([look[what] for look in looks[len(looks) // 2 :]]))


def _looks(levers: dict, rounds: int, seed: int, count: int) -> list[dict]:
    """What gan makes at so many times."""
    plan = Plan(images=64 * rounds, batch=64, order="replacement", precision="fp32", seed=seed)
    return _points.looks(_points.grid(), {**GAN, "levers": SLOW | levers}, plan, count)


def _beside(what: str, found: Found, printed: Mapping[str, str]) -> list[Measure]:
    """A measure for each lever, beside the best seed without; those of `printed` are not judged, and it says why."""
    measures = []
    for name, values in found.items():
        more: dict[str, Any] = {"applies": False, "note": printed[name]} if name in printed else {}
        if name != "without":
            more |= {"baseline": max(found["without"]), "baseline_name": "best without"}
        measures.append(measure("collapse", f"{what}_{name}", values, **more))
    return measures


def _draw(ends: dict[str, dict]) -> None:
    """The docs' figure: for each lever what the first seed made, over the circles of three deviations."""
    points, figure = _points.grid(), blank(2.6 * len(ends), 3.0)
    for number, (name, end) in enumerate(ends.items(), 1):
        axes = figure.add_subplot(1, len(ends), number)
        x, y = np.array(end["points"]).T
        axes.scatter(x, y, s=1.5, color=LIGHT.accent, linewidths=0)
        x, y = points.centres.T
        axes.scatter(x, y, s=14, facecolors="none", edgecolors=LIGHT.muted, linewidths=0.6)
        axes.set(xlim=(-5.2, 5.2), ylim=(-5.2, 5.2), aspect="equal", xticks=[], yticks=[])
        axes.spines[:].set_color(LIGHT.rule)
        title = f"{name}: {end['modes']} modes, {end['good']:.0%} good"
        axes.set_title(title, loc="left", fontsize=8.5, color=LIGHT.ink)
    DOCS.mkdir(parents=True, exist_ok=True)
    with written(DOCS / "collapse-grid.png") as temporary:
        temporary.write_bytes(to_png(figure))


# ---------------------------------------------------------------------------------------------------- stacked digits


class Stacked:
    """A Source of three grey digits each, one a channel: 1,000 modes (Metz et al. 2016, arXiv 1611.02163, 3.3)."""

    holds: type[Batch] = Images

    def __init__(self, digits: Pictures, length: int = 100_000):
        self.name, self.digits = "stacked_digits", digits
        self.shape = DataShape(digits.shape.height, digits.shape.width, 3)
        self.fingerprint = digest([self.name, digits.fingerprint, length])
        self._chosen = np.random.default_rng(0).integers(len(digits), size=(length, 3))

    def __len__(self) -> int:
        return len(self._chosen)

    def batch(self, indices: np.ndarray) -> Images:
        """The triples at `indices`, without labels."""
        x = self.digits.batch(self._chosen[indices].reshape(-1)).x[:, :1]
        return Images(x.reshape(len(indices), 3, *x.shape[2:]))

    def heldout(self) -> None:
        """None: they are judged by their modes."""


def remedies_on_digits(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Stacked digits, with dcgan: how many of the 1,000 modes are reached, as a classifier of real digits tells."""
    small = budget == "smoke"  # fetches no package: the red of faces stands for digits
    digits = avatars(32, count=128, heldout_count=64, progress=False) if small else mnist(progress=False)
    images, n = {"smoke": (64, 64), "quick": (6_400, 2_000), "full": (64_000, SAMPLES)}[budget]
    tell = classifier(digits, 128 if small else 60_000)
    found: Found = {}
    for name in ON_DIGITS:
        levers = {} if small else LEVERS[name]  # so that a smoke run trains but once
        found[name] = [_reached(name, levers, images, n, seed, digits, tell) for seed in seeds]
    without = found.pop("without")
    times = {name: [n / max(1, w) for n, w in zip(by_seed, without, strict=True)] for name, by_seed in found.items()}
    best: dict[str, Any] = {"baseline": max(without), "baseline_name": "modes without, best"}
    return [
        measure("collapse", "digits_without", without),
        *(measure("collapse", f"digits_{name}", values, **best) for name, values in times.items()),
    ]


def _reached(name: str, levers: dict, images: int, n: int, seed: int, digits: Pictures, tell: Classifier) -> float:
    """Of the 1,000 triples those that are made at least once in n samples."""
    plan = Plan(images=images, batch=64, seed=seed, average=0, score=0)
    run = cached_run("dcgan", Stacked(digits), plan, {**DCGAN, "levers": SLOW | levers})
    x = load(run.snapshots[-1]).images(n, seed=seed)
    if seed == 0 and n == SAMPLES:
        DOCS.mkdir(parents=True, exist_ok=True)
        save_png(grid(to_uint8(x[:48]), columns=12), DOCS / f"collapse-digits-{name}.png")
    alone = x.reshape(3 * n, 1, *x.shape[2:]).expand(-1, digits.shape.channels, -1, -1)
    return float(num_modes(tell.told(alone)[:, 0]))


def num_modes(told: Tensor) -> int:
    """The number of different modes, 0 to 999, in what digits in threes are told to be, int64 [3 n]."""
    return len((told.reshape(-1, 3) * torch.tensor([100, 10, 1])).sum(1).unique())


# --------------------------------------------------------------------------------------------------------- detection


def detection(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """How soon a finding names the collapse of runs whose G goes wild halfway, and whether it accuses their twins that
    do not. That they have collapsed is known by their modes, of which the findings know nothing."""
    images, small = {"smoke": 1_000, "quick": 20_000, "full": 20_000}[budget], budget == "smoke"
    found, collapsed, accused = [], [], 0
    for name in WATCHED:
        room = "ring" if small else name
        source, share = _room(room)
        wild, tame = ([_watched(room, loose, seed, source, share, images) for seed in seeds] for loose in (True, False))
        collapsed += [_began(modes, images) is not None for modes, _ in wild]
        delays = [max(0.0, (said or images) - (_began(modes, images) or 0)) for modes, said in wild]
        found.append(measure("collapse", f"named_{name}", delays))
        accused += sum(said is not None for _, said in tame)
        accused += sum(said is not None and said < images / 2 for _, said in wild)
    return [
        measure("collapse", "collapsed", [100 * float(np.mean(collapsed))]),
        *found,
        measure("collapse", "accused", [float(accused)]),
    ]


def _room(name: str) -> tuple[Source, Callable[[Path], float]]:
    """What is played on, and the share of its modes that the generator of a snapshot reaches."""
    if name == "ring":
        ring = _points.ring()

        def held(path: Path) -> float:
            G: Any = load(path)
            return ring.judged(G(G.latents(ASKED, seed=1)).detach().numpy())[0] / len(ring.centres)

        return ring, held
    digits = mnist(progress=False)
    tell = classifier(digits, 60_000)

    def told(path: Path) -> float:
        counts = torch.bincount(tell.told(load(path).images(ASKED, seed=1))[:, 0], minlength=10)
        return (counts >= ASKED / 100).double().mean().item()  # a tenth of its due makes a digit count

    return digits, told


def _watched(
    name: str, wild: bool, seed: int, source: Source, share: Callable[[Path], float], images: int
) -> tuple[list[float], int | None]:
    """The share of the modes at each look, and after how many images a collapse was named, if ever."""
    game_name, settings, batch, times = WATCHED[name]
    game = api.build(game_name, source, settings, seed)
    if wild:
        _let_loose(game, times)
    plan = Plan(images=images, batch=batch, seed=seed, save=trainer.LOOK, keep=10**6, average=0, score=0)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder) / "run")
        trainer.train(game, source, run, plan)
        said = [line["images"] for line in run.findings() if line["kind"] in NAMES]
        return [share(path) for path in run.snapshots], min(said, default=None)


def _let_loose(game: Game, times: float) -> None:
    """G's rate is so many times as high from the middle of the run on."""
    players = game.players()
    usual = players["G"].rate

    def rate(clock: Clock) -> float:
        return usual(clock) * (times if clock.fraction >= 0.5 else 1)

    players["G"] = replace(players["G"], rate=rate)
    game.players = lambda: players  # type: ignore[method-assign]


def _began(modes: Sequence[float], images: int) -> float | None:
    """Images drawn at the first of LASTING looks, from the middle on, at which half of the modes that were there are
    gone; None where there are no such looks, or where less than three quarters of all modes had been there."""
    middle = len(modes) // 2
    there = float(np.median(modes[: max(1, middle - 1)][-4:]))
    gone = [share <= there / 2 for share in modes]
    for look in range(middle - 1, len(modes) - LASTING + 1) if there >= 0.75 else ():
        if all(gone[look : look + LASTING]):
            return (look + 1) * images / len(modes)
    return None
