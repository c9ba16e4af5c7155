"""Row invert: latents of given pictures by encoder, by optimisation and by both, on held-out and on generated faces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from zerosum.bench._classifier import classifier
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Images, Source
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import labelled_columns, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.features import lpips
from zerosum.latent.fidelity import fidelities
from zerosum.latent.invert import invert
from zerosum.latent.way import How, Way

DETERMINISTIC = False  # two measures are times
FIGURES = Path("docs/img")
WAYS: tuple[How, ...] = ("encoder", "optimise", "hybrid")
FIRST = 40  # of the held-out faces: on some before it the usual steps and rate were chosen
TIMED = 5  # pictures, one at a time, after one that warms up
PRINTED = {"applies": False, "note": "for information"}


@dataclass(frozen=True)
class Amounts:
    """Side of the faces, images of training, pictures inverted, steps (None: as usual), images for the classifier."""

    side: int
    images: int
    inverted: int
    steps: int | None
    classifier: int


AMOUNTS = {
    "smoke": Amounts(32, 64, 2, 2, 64),
    "quick": Amounts(64, 9_600, 4, None, 9_600),
    "full": Amounts(64, 41_600, 16, None, 60_000),
}


@dataclass(frozen=True)
class Found:
    """What one way came to on some pictures: the means of PSNR in dB and of LPIPS-Alex, and what it redrew."""

    psnr: float
    lpips: float
    picture: Tensor


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains house on avatars, once a seed, and goes each way."""
    amounts = AMOUNTS[budget]
    few = {"count": 128, "heldout_count": 64, "progress": False} if budget == "smoke" else {}
    source = avatars(amounts.side, **few)  # type: ignore[arg-type]
    generators = [
        load(cached_run("house", source, Plan(images=amounts.images, seed=seed, score=0)).snapshots[-1])
        for seed in seeds
    ]
    photos = _photos(source, amounts)
    ways = [{how: _gone(g, photos.x, how, amounts) for how in WAYS} for g in generators]
    generated = [_gone(g, g.images(amounts.inverted, seed=77), "hybrid", amounts) for g in generators]
    if budget == "full":
        _draw(photos.x, ways[0])
    times: tuple[How, ...] = ("encoder", "hybrid")
    return [
        *_compared(ways),
        measure("invert", "generated", [found.psnr for found in generated]),
        *_identity(source, photos, ways, amounts),
        *(measure("invert", f"{how}_time", [_seconds(g, photos.x, how, amounts) for g in generators]) for how in times),
    ]


def _photos(source: Source, amounts: Amounts) -> Images:
    heldout = source.heldout()
    assert heldout is not None
    images = heldout.batch(np.arange(FIRST, FIRST + amounts.inverted))
    assert isinstance(images, Images)
    return images


def _gone(generator: Generator, x: Tensor, how: How, amounts: Amounts) -> Found:
    picture = invert(generator, x, Way(how=how, steps=amounts.steps)).picture
    each = fidelities(x, picture, lpips.load("alex"))
    return Found(float(np.mean([one.psnr for one in each])), float(np.mean([one.lpips for one in each])), picture)


def _compared(ways: Sequence[dict[How, Found]]) -> list[Measure]:
    """The hybrid beside the better of the two ways that it is made of."""
    better = [max(way["encoder"].psnr, way["optimise"].psnr) for way in ways]
    nearer = [min(way["encoder"].lpips, way["optimise"].lpips) for way in ways]
    gained = [way["hybrid"].psnr - other for way, other in zip(ways, better, strict=True)]
    share = [way["hybrid"].lpips / other for way, other in zip(ways, nearer, strict=True)]
    return [
        measure("invert", "hybrid_psnr", gained, baseline=better[0], baseline_name="PSNR of the better other way, dB"),
        measure("invert", "hybrid_lpips", share, baseline=nearer[0], baseline_name="LPIPS of the better other way"),
    ]


def _identity(source: Source, photos: Images, ways: Sequence[dict[How, Found]], amounts: Amounts) -> list[Measure]:
    """How many of a photo's labels a classifier finds in what the hybrid redrew."""
    net, y = classifier(source, amounts.classifier), photos.y
    assert y is not None
    kept = [100 * (net.told(way["hybrid"].picture) == y).float().mean().item() for way in ways]
    real = 100 * (net.told(photos.x) == y).float().mean().item()
    return [measure("invert", "identity", kept, baseline=real, baseline_name="of the photos themselves", **PRINTED)]


def _seconds(generator: Generator, x: Tensor, how: How, amounts: Amounts) -> float:
    """The slowest of a few pictures, each alone; the first, which loads what is needed, is not counted."""
    taken = []
    for i in range(min(TIMED + 1, len(x))):
        begin = time.perf_counter()
        invert(generator, x[i : i + 1], Way(how=how, steps=amounts.steps))
        taken.append(time.perf_counter() - begin)
    return max(taken[1:])


def _draw(x: Tensor, ways: dict[How, Found]) -> None:
    """The docs' figure: eight photos and what each way makes of them."""
    columns = [to_uint8(part[:8]) for part in (x, *(ways[how].picture for how in WAYS))]
    FIGURES.mkdir(parents=True, exist_ok=True)
    save_png(labelled_columns(columns, ["photo", *WAYS], scale=2), FIGURES / "invert-avatars.png")
