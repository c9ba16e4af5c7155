"""Row wgan_gp: the critic's gradient stays useful where the classic one vanishes, and its value falls as KID falls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from zerosum.bench._curves import Curves, draw
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.bench._moves import moved, scalar
from zerosum.core.batch import DataShape, Table
from zerosum.core.game import Clock
from zerosum.core.generator import load
from zerosum.core.pictures import save_png
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.games import gan, wgan_gp
from zerosum.games.gan import GAN
from zerosum.games.wgan_gp import WGANGP

IMAGES = Path("docs/img")
PLANE = DataShape(1, 2, 1)  # rows of two numbers
KINDS: dict[str, Callable[[], GAN | WGANGP]] = {  # whose gradient, and the game that gives it
    "WGAN-GP": partial(WGANGP, wgan_gp.Settings(z=2, width=16, rate=1e-3), PLANE),
    "log(1 - D(G(z)))": partial(GAN, gan.Settings(z=2, width=128, rate=1e-3, loss="minimax"), PLANE),
    "-log D(G(z))": partial(GAN, gan.Settings(z=2, width=128, rate=1e-3), PLANE),
    "WGAN, clipped": partial(WGANGP, wgan_gp.Settings(z=2, width=16, constraint="clip"), PLANE),
}
HELD, CLASSIC = list(KINDS)[:2]
DISTANCES = (0.5, 1.0, 2.0, 4.0)  # not far more: the slope that the penalty leaves is 1 + distance / (2 lambda)
SHOWN = 4.0  # the distance at which the steps are drawn
SPREAD = 0.1  # of each set of points
LOOKS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # steps of D
SNAPSHOTS = 12
SETTINGS = {"width": 16, "rate": 4e-4}  # slim: minutes pay for three thousand steps of G, no more

Norms = dict[tuple[str, float], list[float]]  # of the gradient, by kind and distance, at each look


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Two sets of points at growing distances; then avatars at 32 px, 480,000 of them drawn in full."""
    looks = LOOKS[:3] if budget == "smoke" else LOOKS
    norms = [_norms(seed, looks) for seed in seeds]
    runs = [_trained(budget, seed) for seed in seeds]
    if budget == "full":
        _draw(norms[0], runs[0])
    followed = [_rank_correlations(run) for run in runs]
    gaps = [max(abs(found[HELD, d][-1] - 1) for d in DISTANCES) for found in norms]
    ratios = [found[HELD, DISTANCES[-1]][-1] / max(found[CLASSIC, DISTANCES[-1]][-1], 1e-12) for found in norms]
    return [
        measure("wgan_gp", "slope", gaps),
        measure("wgan_gp", "ratio", ratios),
        *(measure("wgan_gp", name, [found[name] for found in followed]) for name in ("kid", "kid_random")),
    ]


class Cloud(nn.Module):
    """A generator with one place `at`, float [2], about which its points lie: what reaches it is the mean gradient."""

    def __init__(self, distance: float):
        super().__init__()
        self.at = nn.Parameter(torch.tensor([distance, 0.0]))

    def forward(self, z: Tensor) -> Tensor:
        """Points [n, 2] from z [n, 2]."""
        return self.at + SPREAD * z


def _norms(seed: int, looks: Sequence[int]) -> Norms:
    return {(kind, d): _trained_norms(kind, d, seed, looks) for kind, d in product(KINDS, DISTANCES)}


def _trained_norms(kind: str, distance: float, seed: int, looks: Sequence[int]) -> list[float]:
    """Moves D alone, on points about the origin and on fakes so far away that stay; how strong the gradient is that
    G's loss sends to the fakes, after each of so many steps."""
    torch.manual_seed(seed)
    game, found = KINDS[kind](), []
    game.G = G = Cloud(distance)  # type: ignore[assignment]
    points = (Table(SPREAD * torch.randn(64, 2)) for _ in range(looks[-1]))
    for step in moved(game, "D", game.D_loss, points):
        if step in looks:
            loss = scalar(game.G_loss(Table(torch.zeros(256, 2)), Clock()))
            found.append(torch.autograd.grad(loss, G.at)[0].norm().item())
    return found


def _trained(budget: Budget, seed: int) -> Run:
    """The judges see the averaged generator, as in any run; what the critic values is the live one."""
    if budget == "smoke":
        source = avatars(32, count=128, heldout_count=64, progress=False)
        plan = Plan(images=3 * 8, batch=8, score=50, save=8, seed=seed)
        return cached_run("wgan_gp", source, plan, {"width": 4, "n_critic": 1})
    images = 8_000 if budget == "quick" else 480_000
    plan = Plan(images=images, batch=32, save=images // SNAPSHOTS, seed=seed)
    return cached_run("wgan_gp", avatars(32), plan, SETTINGS)


def _values(run: Run) -> tuple[list[int], list[float], Mapping[str, list[float]]]:
    """At each snapshot: images drawn, the critic's value, each KID. The value is a mean over the half-way before it."""
    images = [line["images"] for line in run.metrics()]
    log = [(line["images"], line["wasserstein"]) for line in run.log() if "wasserstein" in line]
    values = [float(np.mean([w for at, w in log if end - images[0] / 2 < at <= end])) for end in images]
    return images, values, {name: [line[name]["value"] for line in run.metrics()] for name in ("kid", "kid_random")}


def _rank_correlations(run: Run) -> dict[str, float]:
    """Spearman's, of the critic's value with each KID."""
    _, values, kids = _values(run)
    return {name: float(spearmanr(values, kid).statistic) for name, kid in kids.items()}


def _draw(norms: Norms, run: Run) -> None:
    """The docs' figures, from the first seed."""
    steps = {kind: (LOOKS, norms[kind, SHOWN]) for kind in KINDS}
    apart = {kind: (DISTANCES, [norms[kind, d][-1] for d in DISTANCES]) for kind in KINDS}
    draw(
        [
            Curves(f"Gradient that reaches G, sets {SHOWN:g} apart", "steps of D", steps, ("log", "log")),
            Curves(f"The same, after {LOOKS[-1]} steps", "distance between the sets", apart, ("linear", "log")),
        ],
        IMAGES / "wgan_gp-gradients.png",
    )
    images, values, kids = _values(run)
    named = {"critic's value": values, "KID": kids["kid"], "KID-random": kids["kid_random"]}
    curves = {name: (images, [y / found[0] for y in found]) for name, found in named.items()}
    draw([Curves("As a multiple of the first snapshot's", "images drawn", curves)], IMAGES / "wgan_gp-value.png")
    save_png(load(run.snapshots[-1]).grid(64, seed=0), IMAGES / "wgan_gp-avatars.png")
