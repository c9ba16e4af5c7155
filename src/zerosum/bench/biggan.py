"""Row biggan: are its pictures of each class better than cgan's at as many images, and what does truncation cost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from torch import Tensor

from zerosum.bench._curves import Curves, draw
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.bench.cgan import HOW, Told
from zerosum.core.batch import Images, Source
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import grid, save_png
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.data.cifar10 import cifar10
from zerosum.features import efficientnet
from zerosum.features.random_conv import RandomConv
from zerosum.metrics.coverage import Thumbnails, coverage
from zerosum.metrics.gallery import Eyes, Gallery, quantised
from zerosum.metrics.kid import FEWEST, kid

IMG = Path("docs/img")
PSIS = (1.0, 0.8, 0.6, 0.4, 0.2)
SHOWN = (1.0, 0.6)  # psis of which pictures are drawn
COLUMNS = 10

Scores = dict[str, float]  # the means over the classes of "kid", "kid_random" and "coverage"


@dataclass(frozen=True)
class Amounts:
    """What a budget pays for, in pictures: to train on, and asked for of each class."""

    images: int
    asked: int


AMOUNTS = {"smoke": Amounts(64, FEWEST), "quick": Amounts(6_400, 50), "full": Amounts(300_000, 300)}


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """For each seed a biggan, judged at each psi, and a cgan; each has its own batch, both as many pictures."""
    amounts = AMOUNTS[budget]
    judge = Classes(_source(budget), amounts.asked)
    plans = [Plan(images=amounts.images, seed=seed, score=0) for seed in seeds]
    makers = [load(cached_run("biggan", judge.source, plan).snapshots[-1]) for plan in plans]
    others = [load(cached_run("cgan", judge.source, plan, HOW).snapshots[-1]) for plan in plans]
    curves = [[judge.score(maker, psi) for psi in PSIS] for maker in makers]
    theirs = [judge.score(other) for other in others]
    if budget == "full":
        _draw(makers[0], curves[0], theirs[0])
    return [
        *(_beside(name, [curve[0] for curve in curves], theirs) for name in ("kid", "kid_random", "coverage")),
        measure("biggan", "truncation", [_rises([looks["coverage"] for looks in curve]) for curve in curves]),
    ]


def _source(budget: Budget) -> Source:
    """CIFAR-10; a smoke run fetches no package and has a few faces for it."""
    if budget == "smoke":
        return Told(avatars(32, count=128, heldout_count=64, progress=False), ["smile"])
    return cifar10(progress=False)


class Classes:
    """Judges the pictures of each class of a source's first attribute against those of this class that were held out.

    Of classes with fewer than FEWEST of these nothing can be told; they are passed over.
    """

    def __init__(self, source: Source, asked: int):
        self.source, self.asked = source, asked
        self.eyes: dict[str, Eyes] = {"kid": efficientnet.load(), "kid_random": RandomConv()}
        self.thumbnails = Thumbnails()
        heldout = source.heldout()
        assert heldout is not None
        batch = heldout.batch(np.arange(len(heldout)))
        assert isinstance(batch, Images)
        assert batch.y is not None
        self.attribute = source.shape.attributes[0]
        parts = [batch.x[batch.y[:, 0] == code] for code in range(len(self.attribute.classes))]
        key = ["class", heldout.fingerprint, self.attribute.name]
        self.real = {code: _gallery(x, [*key, code]) for code, x in enumerate(parts) if len(x) >= FEWEST}

    def score(self, maker: Generator, psi: float = 1.0) -> Scores:
        """The means over the classes, of as many pictures of each as are asked for."""
        found = [self._of_class(maker, code, psi) for code in self.real]
        return {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}

    def _of_class(self, maker: Generator, code: int, psi: float) -> Scores:
        real, wish = self.real[code], {self.attribute.name: self.attribute.classes[code]}
        pixels = maker.sample(self.asked, seed=1000 + code, labels=wish, truncation=psi)
        made = Gallery(partial(quantised, pixels, self.source))
        made.show(*self.eyes.values(), self.thumbnails)
        kids = {name: kid(made.seen(eyes), real.seen(eyes)).value for name, eyes in self.eyes.items()}
        fakes, reals = made.seen(self.thumbnails), real.seen(self.thumbnails)
        num = min(len(fakes), len(reals))  # coverage compares equal numbers
        return {**kids, "coverage": coverage(fakes[:num], reals[:num])}


def _gallery(x: Tensor, key: list) -> Gallery:
    return Gallery(lambda: x.split(256), key)


def _beside(name: str, ours: Sequence[Scores], theirs: Sequence[Scores]) -> Measure:
    """A score as a multiple of cgan's of the same seed."""
    values = [mine[name] / max(other[name], 1e-9) for mine, other in zip(ours, theirs, strict=True)]
    return measure("biggan", name, values, baseline=theirs[0][name], baseline_name="cgan's score, seed 0")


def _rises(coverages: Sequence[float]) -> float:
    """Spearman's correlation of psi with coverage; 0 where coverage never changes."""
    return float(spearmanr(PSIS, coverages).statistic) if len(set(coverages)) > 1 else 0.0


def _draw(maker: Generator, curve: Sequence[Scores], other: Scores) -> None:
    """The docs' figures, from the first seed: what is paid for what, and for each class a row of pictures."""
    panels = []
    for name, title in (("kid", "KID"), ("kid_random", "KID-random")):
        ours = [looks["coverage"] for looks in curve], [looks[name] for looks in curve]
        points = {f"biggan, psi {PSIS[-1]:g} to {PSIS[0]:g}": ours, "cgan": ([other["coverage"]], [other[name]])}
        panels.append(Curves(f"{title}, the mean over the classes", "coverage", points))
    draw(panels, IMG / "biggan-truncation.png")
    label = maker.header.shape.attributes[0]
    for psi in SHOWN:
        rows = [maker.sample(COLUMNS, seed=5, labels={label.name: value}, truncation=psi) for value in label.classes]
        save_png(grid(np.concatenate(rows), columns=COLUMNS), IMG / f"biggan-psi-{psi:g}.png")
