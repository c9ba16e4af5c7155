"""Row stylegan2: its scores beside dcgan's at equal images, and how far apart attributes lie in W and in Z."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from zerosum.bench._classifier import classifier
from zerosum.bench._curves import Curves, draw
from zerosum.bench._frame import Budget, Measure, beside, cached_run, measure
from zerosum.bench.cgan import LOOKS, Told
from zerosum.core.batch import Source
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import grid, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.data.catalog import open_source
from zerosum.games.stylegan2 import StyleGenerator
from zerosum.metrics.panel import Panel

IMAGES = Path("docs/img")
SCORES = ("kid", "kid_random", "coverage")
PSI = (1.0, 0.8, 0.6, 0.4, 0.2)
LIKELY = 0.5  # the share of pictures kept of each attribute: those of which the classifier is surest


@dataclass(frozen=True)
class Amounts:
    """What a budget pays for, in pictures: to train on at 64 pixels and at 128, judged, the classifier's, and made to
    tell how far apart attributes lie."""

    images: int
    large: int
    judged: int
    classifier: int
    told: int


AMOUNTS = {
    "smoke": Amounts(64, 64, 64, 128, 128),
    "quick": Amounts(3_200, 640, 200, 6_400, 500),
    "full": Amounts(64_000, 32_000, 1000, 120_000, 6_000),
}
SETS: dict[str, Callable[[], Source]] = {
    "avatars": lambda: Told(avatars(64, progress=False), LOOKS),
    "fruit": lambda: open_source("fruit", 64, progress=False),
    "large": lambda: avatars(128, progress=False),
}


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains stylegan2 and dcgan on each set, a run a seed, and fits linear classifiers to the first set's latents."""
    amounts, found = AMOUNTS[budget], []
    small = Told(avatars(32, count=128, heldout_count=64, progress=False), LOOKS) if budget == "smoke" else None
    for name, read in SETS.items():
        source = small or read()
        plans = [
            Plan(images=amounts.large if name == "large" else amounts.images, seed=seed, score=0) for seed in seeds
        ]
        makers = {game: [_made(game, source, plan) for plan in plans] for game in ("stylegan2", "dcgan")}
        panel = Panel(source, n=amounts.judged)
        ours, theirs = ([panel.score(g.sample(panel.n, seed=1000)) for g in its] for its in makers.values())
        found += beside("stylegan2", ours, theirs, "dcgan", SCORES, prefix=f"{name}_")
        if name == "avatars":
            found.append(_separability(source, makers["stylegan2"], amounts))
        if budget == "full":
            _draw(name, makers["stylegan2"][0], panel)
    return found


def _made(game: str, source: Source, plan: Plan) -> Generator:
    """What the run of this recipe ends with."""
    return load(cached_run(game, source, plan).snapshots[-1])


def _separability(source: Source, makers: Sequence[Generator], amounts: Amounts) -> Measure:
    """exp(sum of H(Y|X)) in W as a multiple of Z's: Y what a classifier of pictures tells, X what a linear one tells of
    the latents (Karras et al. 2019, arXiv 1812.04948, section 4.2)."""
    judge = classifier(source, amounts.classifier)
    ratios, of_z = [], []
    for maker in makers:
        assert isinstance(maker, StyleGenerator)
        z = maker.latents(amounts.told, seed=2000)
        with torch.inference_mode():
            w = torch.cat([maker.map(part)[:, 0].float() for part in z.split(256)])
            x = torch.cat([maker.synthesize(maker.map(part)).float() for part in z.split(64)])
            logits = torch.cat([judge(part) for part in x.split(256)]).split(judge.sizes, 1)
        entropies = [[conditional_entropy(codes.numpy(), part) for part in logits] for codes in (z, w)]
        in_z, in_w = (float(np.exp(np.sum(its))) for its in entropies)
        ratios.append(in_w / in_z)
        of_z.append(in_z)
    return measure("stylegan2", "separability", ratios, baseline=of_z[0], baseline_name="Z's, first seed")


def conditional_entropy(codes: np.ndarray, logits: Tensor) -> float:
    """H(Y|X) in nats: what is left to know of the classes Y, told by `logits` [n, classes], after a linear classifier
    of the codes [n, z] has said X. The surest half of the examples counts; a half of it is learnt from."""
    sure, told = logits.float().softmax(1).max(1)
    kept = sure.argsort(descending=True)[: max(4, int(LIKELY * len(sure)))].sort().values
    x, y = codes[kept.numpy()], told[kept].numpy()
    learnt = slice(0, len(y) // 2)
    if len(np.unique(y[learnt])) < 2:
        return math.log(2)  # nothing is told here, in whichever space
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    said = linear.fit(x[learnt], y[learnt]).predict(x[len(y) // 2 :])
    true = y[len(y) // 2 :]
    total = 0.0
    for value in np.unique(said):
        shares = np.unique(true[said == value], return_counts=True)[1] / (said == value).sum()
        total -= (said == value).mean() * float((shares * np.log(shares)).sum())
    return total


def _draw(name: str, maker: Generator, panel: Panel) -> None:
    """The docs' figures, of the first seed."""
    assert isinstance(maker, StyleGenerator)
    save_png(maker.grid(36 if name == "large" else 64, seed=0), IMAGES / f"stylegan2-{name}.png")
    if name != "avatars":
        return
    save_png(mixing_grid(maker), IMAGES / "stylegan2-mixing.png")
    scores = [panel.score(maker.sample(panel.n, seed=1000, truncation=psi)) for psi in PSI]
    curves = {key: (PSI, [one[key]["value"] for one in scores]) for key in SCORES}
    draw([Curves("Truncation", "psi", curves, ("linear", "log"))], IMAGES / "stylegan2-truncation.png")


def mixing_grid(maker: StyleGenerator, rows: int = 5, columns: int = 6) -> Image.Image:
    """Karras et al. 2019, figure 3: coarse styles of the picture at the row's head, fine ones of the column's."""
    w = maker.map(maker.latents(rows + columns, seed=3))
    heads, tops = w[:rows], w[rows:]
    coarse = w.shape[1] // 2
    with torch.inference_mode():
        blank = torch.ones(1, *maker.synthesize(w[:1]).shape[1:])
        pictures = [blank, maker.synthesize(tops)]
        for head in heads:
            mixed = torch.cat([head[None, :coarse].expand(columns, -1, -1), tops[:, coarse:]], 1)
            pictures += [maker.synthesize(head[None]), maker.synthesize(mixed)]
    return grid(to_uint8(torch.cat(pictures)), columns=columns + 1)
