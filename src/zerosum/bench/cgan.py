"""Row cgan: is what is made what was asked for, and is it as good as what a twin makes that was told nothing?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zerosum.bench._classifier import accuracies, classifier
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Images, Source
from zerosum.core.files import digest
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import grid, save_png
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.data.cifar10 import cifar10
from zerosum.data.mnist import fashion_mnist
from zerosum.metrics.panel import Panel

LOOKS = ("hair length", "hair colour", "hat", "glasses", "beard", "smile", "skin", "clothes colour")
HOW = {"how": "projection"}
IMG = Path("docs/img")
COLUMNS, TITLE = 10, 110  # pictures a row, and pixels for its title
SHOWN = [
    ("", "as drawn"),
    ("hair length", "bald"),
    ("hair length", "long"),
    ("hair colour", "blonde"),
    ("hair colour", "red"),
    ("hat", "turban"),
    ("glasses", "glasses"),
    ("glasses", "sunglasses"),
    ("beard", "full"),
    ("smile", "yes"),
    ("skin", "black"),
    ("clothes colour", "red"),
]


@dataclass(frozen=True)
class Amounts:
    """What a budget pays for, in pictures: to train on, the classifier's, asked for of each class, judged by KID."""

    images: int
    classifier: int
    asked: int
    judged: int


AMOUNTS = {
    "smoke": Amounts(64, 128, 2, 50),
    "quick": Amounts(6_400, 6_400, 20, 200),
    "full": Amounts(64_000, 120_000, 100, 1000),
}


class Told(Source):
    """A source of pictures that tells some of their labels alone."""

    def __init__(self, source: Source, names: Sequence[str]):
        attributes = source.shape.attributes
        self.source, self.names, self.name, self.holds = source, names, source.name, source.holds
        self.columns = [[attribute.name for attribute in attributes].index(name) for name in names]
        self.shape = replace(source.shape, attributes=tuple(attributes[i] for i in self.columns))
        self.fingerprint = digest([source.fingerprint, *names])

    def __len__(self) -> int:
        return len(self.source)

    def batch(self, indices: np.ndarray) -> Images:
        """The pictures at `indices`, with those labels."""
        batch = self.source.batch(indices)
        assert isinstance(batch, Images)
        assert batch.y is not None
        return Images(batch.x, batch.y[:, self.columns])

    def heldout(self) -> Source | None:
        """The source's own, told alike."""
        apart = self.source.heldout()
        return apart and Told(apart, self.names)


SETS: dict[str, Callable[[], Source]] = {
    "fashion": lambda: fashion_mnist(progress=False),
    "avatars": lambda: Told(avatars(32, progress=False), LOOKS),
    "cifar10": lambda: cifar10(progress=False),
}

TWIN = {"rate": 4e-4, "redraw": 0.0}  # house, as far as cgan is like it


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """For each set and seed a cgan, and a twin that is told nothing: a house of its width, rate and budget."""
    amounts = AMOUNTS[budget]
    if budget == "smoke":  # one set in the place of all three
        small = Told(avatars(32, count=128, heldout_count=64, progress=False), LOOKS)
        looked = dict.fromkeys(SETS, _look(small, amounts, seeds))
    else:
        looked = {name: _look(read(), amounts, seeds) for name, read in SETS.items()}
    if budget == "full":
        for name, look in looked.items():
            _draw(name, look.makers[0])
    return [found for name, look in looked.items() for found in (*_asked_and_made(name, look), *_beside(name, look))]


@dataclass(frozen=True)
class Look:
    """What was found on one set, a row a seed: the cgans, their pictures' and real ones' accuracies by attribute,
    and the panel's scores of the cgan and of its twin."""

    makers: list[Generator]
    accuracies: list[list[float]]
    real: list[float]
    scores: list[tuple[dict, dict]]


def _look(source: Source, amounts: Amounts, seeds: Sequence[int]) -> Look:
    """Trains and judges; from the cache, what was trained."""
    judge, panel = classifier(source, amounts.classifier), Panel(source, n=amounts.judged)
    plans = [Plan(images=amounts.images, seed=seed, score=0) for seed in seeds]
    makers = [load(cached_run("cgan", source, plan, HOW).snapshots[-1]) for plan in plans]
    twins = [load(cached_run("house", source, replace(plan, batch=32), TWIN).snapshots[-1]) for plan in plans]

    def score(maker: Generator) -> dict:
        return panel.score(maker.sample(amounts.judged, seed=1000))

    return Look(
        makers,
        [accuracies(judge, source.shape, partial(_asked, maker, amounts.asked)) for maker in makers],
        accuracies(judge, source.shape, _real(source)),
        [(score(maker), score(twin)) for maker, twin in zip(makers, twins, strict=True)],
    )


def _asked(maker: Generator, num: int, a: int, code: int) -> Tensor:
    """Pictures that shall be of one class; their other labels come as they do in the data."""
    attribute = maker.header.shape.attributes[a]
    return maker.images(num, seed=1000, labels={attribute.name: attribute.classes[code]})


def _real(source: Source) -> Callable[[int, int], Tensor]:
    """The held-out pictures of a class."""
    heldout = source.heldout()
    assert heldout is not None
    batch = heldout.batch(np.arange(len(heldout)))
    assert isinstance(batch, Images)
    x, y = batch.x, batch.y
    assert y is not None
    return lambda a, code: x[y[:, a] == code]


def _asked_and_made(name: str, look: Look) -> Iterator[Measure]:
    """For each attribute how often what is made is what was asked for; beside it, the classifier's on real pictures."""
    attributes = look.makers[0].header.shape.attributes
    for a, attribute in enumerate(attributes if name == "avatars" else attributes[:1]):
        measured = f"avatars_{attribute.name.replace(' ', '_')}" if name == "avatars" else f"{name}_class"
        of_seeds = [found[a] for found in look.accuracies]
        yield measure("cgan", measured, of_seeds, baseline=look.real[a], baseline_name="real pictures, held out")


def _beside(name: str, look: Look) -> Iterator[Measure]:
    """Both KIDs and coverage, as multiples of the twin's of the same seed."""
    for score in ("kid", "kid_random", "coverage"):
        values = [made[score]["value"] / max(twin[score]["value"], 1e-9) for made, twin in look.scores]
        baseline = look.scores[0][1][score]["value"]
        yield measure("cgan", f"{name}_{score}", values, baseline=baseline, baseline_name="the twin's score, seed 0")


def _draw(name: str, maker: Generator) -> None:
    """One row a wish, one column a z: each class of the one attribute, or a choice of looks."""
    label = maker.header.shape.attributes[0]
    wishes = SHOWN if name == "avatars" else [(label.name, value) for value in label.classes]
    pixels = [maker.sample(COLUMNS, seed=5, labels={key: value} if key else None) for key, value in wishes]
    body = grid(np.concatenate(pixels), columns=COLUMNS).convert("RGB")
    sheet = Image.new("RGB", (body.width + TITLE, body.height), "white")
    sheet.paste(body, (TITLE, 0))
    draw = ImageDraw.Draw(sheet)
    for i, (key, value) in enumerate(wishes):
        words = f"{key}:\n{value}" if name == "avatars" and key else value
        draw.text((6, (i + 0.5) * body.height / len(wishes)), words, "black", ImageFont.load_default(14), anchor="lm")
    IMG.mkdir(parents=True, exist_ok=True)
    save_png(sheet, IMG / f"cgan-{name}.png")
