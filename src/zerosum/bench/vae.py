"""Row vae: how many units are active on digits and on avatars, and how near reconstructions come beside PCA's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.bench._sets import pictures, principal, unseen
from zerosum.core.batch import Source
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import grid, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.games.vae import active
from zerosum.latent.directions import decoded, encoded, traversal

IMAGES = {"smoke": 128, "quick": 9_600, "full": 64_000}
FIGURES = Path("docs/img")
LATENTS = 6  # rows of the traversals
BETA = 12.0  # of the run that shows what it does for samples


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains vae with its default settings on both sets, once a seed, and measures on held-out pictures."""
    found = []
    for name, source in pictures(budget).items():
        x = unseen(source)
        generators = [trained("vae", source, IMAGES[budget], seed) for seed in seeds]
        if budget == "full":
            _draw(name, generators[0], x)
            save_png(
                trained("vae", source, IMAGES[budget], 0, beta=BETA).grid(36, seed=0), FIGURES / f"vae-{name}-beta.png"
            )
        codes = [encoded(generator, x) for generator in generators]
        found.append(measure("vae", f"active_{name}", [active(z).float().mean().item() for z in codes]))
        errors = [_error(decoded(g, z), x) for g, z in zip(generators, codes, strict=True)]
        found.append(_beside_pca(name, errors, _error(principal(source, codes[0].shape[1]).nearest(x), x)))
    return found


def trained(game: str, source: Source, images: int, seed: int, **settings: object) -> Generator:
    """The generator of the last snapshot of the game's run, with its default settings but for these."""
    return load(cached_run(game, source, Plan(images=images, seed=seed, score=0), settings).snapshots[-1])


def _error(made: Tensor, x: Tensor) -> float:
    return (made - x).square().mean().item()


def _beside_pca(name: str, errors: Sequence[float], pca: float) -> Measure:
    return measure(
        "vae",
        f"error_{name}",
        [error / pca for error in errors],
        baseline=pca,
        baseline_name="PCA's squared error with as many numbers",
        applies=False,
        note="for information",
    )


def _draw(name: str, generator: Generator, x: Tensor) -> None:
    """The docs' figures: samples, reconstructions below their originals, and one picture's busiest latents in turn."""
    z = encoded(generator, x)
    rows = torch.stack([x[:12], decoded(generator, z[:12])]).flatten(0, 1)
    busiest = z.var(0).argsort(descending=True)[:LATENTS]
    values = torch.linspace(-3, 3, 9)
    swept = torch.cat([traversal(generator, z[0], int(latent), values) for latent in busiest])
    drawn: dict[str, Image.Image] = {
        name: generator.grid(36, seed=0),
        f"{name}-again": grid(to_uint8(rows), columns=12, scale=2),
        f"{name}-traversals": grid(to_uint8(swept), columns=len(values), scale=2),
    }
    FIGURES.mkdir(parents=True, exist_ok=True)
    for title, picture in drawn.items():
        save_png(picture, FIGURES / f"vae-{title}.png")
