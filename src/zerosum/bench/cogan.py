"""Row cogan: digits and their outlines, faces without and with sunglasses, no pair among them; do couples agree?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import grey_dilation

from zerosum import api
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.files import digest
from zerosum.core.generator import load
from zerosum.core.pictures import grid, save_png
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.data.mnist import mnist
from zerosum.data.pictures import Pictures
from zerosum.data.unpaired import UnpairedPictures, unpaired

IMAGES = {"smoke": 32, "quick": 4_000, "full": 32_000}
COUPLES = {"smoke": 16, "quick": 200, "full": 1000}
KNOWN = 10_000  # real pictures, of which the classifiers learn
TOLERANCE = 32  # levels by which a channel of two agreeing pixels may differ: an eighth of the range
GRIDS = Path("docs/img")

Couples = tuple[np.ndarray, np.ndarray]  # pictures of the first domain and of the second, uint8 [n, H, W, C] both
Classify = Callable[[np.ndarray], np.ndarray]  # codes, int64 [n], of pictures uint8 [n, H, W, C]


@dataclass(frozen=True)
class Theatre:
    """Two sets without pairs, and how their couples are judged: each figure from 0 to 1, by its measure's name."""

    name: str
    source: UnpairedPictures
    judge: Callable[[Couples], dict[str, float]]


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains the coupled nets and two twins on either pair of sets, once a seed, and judges their couples."""
    measures = []
    for theatre in (digits(budget), faces(budget)):
        coupled, twins = ([_play(theatre, budget, seed, shared) for seed in seeds] for shared in (True, False))
        for name in coupled[0]:
            values, others = ([found[name] for found in side] for side in (coupled, twins))
            named = {"baseline": max(others), "baseline_name": "twins that share nothing, the best seed"}
            measures.append(measure("cogan", name, values, **named))
        over = [one[theatre.name] - max(found[theatre.name] for found in twins) for one in coupled]
        measures.append(measure("cogan", f"{theatre.name}_over_twins", over))
        measures.append(measure("cogan", f"{theatre.name}_parameters", [_share_of_parameters(theatre)]))
    return measures


def _play(theatre: Theatre, budget: Budget, seed: int, shared: bool) -> dict[str, float]:
    """The judgement on a run's couples; the first seed's full run is drawn for the docs."""
    plan = Plan(images=IMAGES[budget], batch=16, seed=seed, score=0)
    run = cached_run("cogan", theatre.source, plan, {"rate": 4e-4, "shared": shared})
    made = load(run.snapshots[-1]).sample(2 * COUPLES[budget], seed=1000)
    if budget == "full" and seed == 0:
        GRIDS.mkdir(parents=True, exist_ok=True)
        picture = grid(made[:48], columns=12, scale=2)
        save_png(picture, GRIDS / f"cogan-{theatre.name}{'' if shared else '-twins'}.png")
    return theatre.judge((made[0::2], made[1::2]))


def _share_of_parameters(theatre: Theatre) -> float:
    """Parameters of the coupled nets, each counted once, over those of two twins."""
    games = [api.build("cogan", theatre.source, {"shared": shared}, seed=0) for shared in (True, False)]
    coupled, twins = (sum(parameter.numel() for parameter in game.parameters()) for game in games)
    return coupled / twins


def digits(budget: Budget) -> Theatre:
    """One half of MNIST, and the outlines of the other half."""
    whole = mnist(progress=False)
    num = 512 if budget == "smoke" else len(whole)
    first, second = np.random.default_rng(0).permutation(num).reshape(2, -1)
    x, drawn = whole.subset(first), whole.subset(second)
    pixels, labels = outline(drawn.pixels(np.arange(len(drawn)))), drawn.labels(np.arange(len(drawn)))
    y = Pictures("outlines", x.shape, pixels, labels, fingerprint=digest([drawn.fingerprint, "outlines"]))
    named = _classifier(x, 0), _classifier(y, 0)

    def judge(couples: Couples) -> dict[str, float]:
        wanted, lit = outline(couples[0]) >= 128, couples[1] >= 128
        return {
            "digits": (wanted == lit).mean().item(),
            "digits_overlap": ((wanted & lit).sum() / max(1, (wanted | lit).sum())).item(),
            "digits_named": (named[0](couples[0]) == named[1](couples[1])).mean().item(),
        }

    return Theatre("digits", unpaired(x, y), judge)


def outline(pixels: np.ndarray) -> np.ndarray:
    """f of the digits: the grey dilation of each picture by 3 x 3 pixels, less the picture; uint8 [n, H, W, 1]."""
    return grey_dilation(pixels, size=(1, 3, 3, 1)) - pixels


def faces(budget: Budget) -> Theatre:
    """Avatars without glasses, and others with sunglasses."""
    whole = avatars(32, count=200, heldout_count=2, progress=False) if budget == "smoke" else avatars(32)
    number = [attribute.name for attribute in whole.shape.attributes].index("glasses")
    bare, dark = (whole.shape.attributes[number].classes.index(name) for name in ("none", "sunglasses"))
    x, y = whole.select({number: [bare]}, "bare"), whole.select({number: [dark]}, "sunglasses")
    means = [part.pixels(np.arange(len(part))).mean(0) for part in (x, y)]
    glasses = np.abs(means[0] - means[1]).max(-1) > 12  # the sets differ there alone: all else is drawn alike
    told = _classifier(whole.select({number: [bare, dark]}, "both"), number)

    def judge(couples: Couples) -> dict[str, float]:
        apart = np.abs(couples[0].astype(np.int16) - couples[1]).max(-1)[:, ~glasses]
        right = [(told(pixels) == code).mean() for pixels, code in zip(couples, (bare, dark), strict=True)]
        return {"faces": (apart <= TOLERANCE).mean().item(), "faces_told": min(right).item()}

    return Theatre("faces", unpaired(x, y), judge)


def _classifier(pictures: Pictures, label: int) -> Classify:
    """The commonest class among the three nearest real pictures, by their pixels."""
    from sklearn.neighbors import KNeighborsClassifier

    some = np.arange(min(KNOWN, len(pictures)))
    labels = pictures.labels(some)
    assert labels is not None
    known = KNeighborsClassifier(3).fit(_flat(pictures.pixels(some)), labels[:, label])
    return lambda pixels: known.predict(_flat(pixels))


def _flat(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(len(pixels), -1).astype(np.float32)
