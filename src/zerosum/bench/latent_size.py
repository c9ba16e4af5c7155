"""Row latent_size: how many independent properties pictures have, and what a latent that is too short makes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zerosum import api
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Source
from zerosum.core.generator import LatentGenerator, load
from zerosum.core.pictures import grid, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import ATTRIBUTES, avatars
from zerosum.data.catalog import open_data
from zerosum.metrics.coverage import Thumbnails
from zerosum.metrics.dimension import FEWEST, PICTURES, Dimension, dimension
from zerosum.training import trainer
from zerosum.training.screen import Bar

FIGURE = Path("docs/img/latent_size.png")
FOLLOW = ("hair length", "smile")  # of the avatars' labels: from "hair style", and from "mood"
KNOWN = {"dsprites": 5, "avatars": len(ATTRIBUTES) - len(FOLLOW)}
LATENTS = (0, 1, 2, 8, 64)
IMAGES = 64_000  # of each run of the figure
WIDTH = 16
SIDE = 8  # pictures a row of the figure
BATCH = 256


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Estimates on samples of known data, and on what generators with short latents make; draws the figure."""
    small = budget == "smoke"
    faces: Source = avatars(32, count=FEWEST + 100, heldout_count=0, progress=False) if small else avatars(64)
    sources = {"dsprites": faces if small else open_data("dsprites", 32), "avatars": faces}
    found = {name: [_estimate(source, seed) for seed in seeds] for name, source in sources.items()}
    return [
        *(_against_known(name, found[name], judged=not small) for name in KNOWN),
        measure("latent_size", "noise", [_noise(seed, FEWEST if small else PICTURES) for seed in seeds]),
        measure("latent_size", "made", [_made(budget, faces)]),
    ]


def _estimate(source: Source, seed: int) -> Dimension:
    """Of pictures from all over the source."""
    chosen = np.random.default_rng(seed).permutation(len(source))[: 2 * PICTURES]
    parts = (source.batch(np.sort(part)).x for part in np.array_split(chosen, -(-len(chosen) // BATCH)))  # type: ignore[attr-defined]
    return _of(torch.cat([Thumbnails().features(part) for part in parts]), seed)


def _of(thumbnails: Tensor, seed: int = 0) -> Dimension:
    found = dimension(thumbnails, seed)
    assert found is not None
    print(f"  {found}", flush=True)
    return found


def _against_known(name: str, found: Sequence[Dimension], judged: bool) -> Measure:
    """By which factor the estimates are off; beside them, that of the plain estimate, before the calibration."""
    known = KNOWN[name]
    return measure(
        "latent_size",
        name,
        [_factor(one.properties, known) for one in found],
        baseline=_factor(found[0].measured, known),
        baseline_name="not calibrated",
        applies=judged,
        note="" if judged else "too few pictures",
    )


def _factor(found: float, known: float) -> float:
    return max(found / known, known / found)


def _noise(seed: int, num: int) -> float:
    """What is told of pictures in which every pixel is its own."""
    pixels = np.random.default_rng(seed).integers(0, 256, (num, 3, 32, 32))
    return _of(Thumbnails().features(torch.from_numpy(pixels).float() / 127.5 - 1)).properties


# ----------------------------------------------------------------------------------------------------------- the figure


def _made(budget: Budget, faces: Source) -> float:
    """Trains one game with each latent; the most properties that its pictures show, over its numbers."""
    source, images, width = (faces, 64, 4) if budget == "smoke" else (open_data("mnist", 28), IMAGES, WIDTH)
    if budget == "quick":
        images = 3_200
    lengths = (1,) if budget == "smoke" else LATENTS
    plan = Plan(images=images, batch=32, seed=0, score=0, precision="fp32")
    made = {length: _trained(length, source, plan, width) for length in lengths}
    if budget == "full":
        _draw({length: _fan(generator, length) for length, generator in made.items()})
    judged = [length for length in lengths if 0 < length <= SIDE]
    return max(_of(_thumbnails(made[length])).properties / length for length in judged)


def _trained(length: int, source: Source, plan: Plan, width: int) -> LatentGenerator:
    """House with a latent of so many numbers; of none: with one number that never changes."""
    settings = {"z": max(1, length), "width": width, "rate": 4e-4, "redraw": 0.0}  # codes know of more than z can tell
    if length:
        return load(cached_run("house", source, plan, settings).snapshots[-1])
    game = api.build("house", source, settings, plan.seed)
    game.get_submodule("G").register_forward_pre_hook(lambda net, given: (torch.ones_like(given[0]),))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder)
        trainer.train(game, source, run, plan, Bar(60))
        return load(run.snapshots[-1])


def _thumbnails(generator: LatentGenerator) -> Tensor:
    """Of PICTURES pictures, not rounded to levels: on a curve, neighbours differ by less than a level."""
    return Thumbnails().features(generator.images(PICTURES, seed=1))


def _fan(generator: LatentGenerator, length: int) -> np.ndarray:
    """SIDE x SIDE pictures, uint8: one number's quantiles in order, two numbers' as a map; else drawn at random."""
    if length > 2:
        return generator.sample(SIDE**2, seed=0)
    steps = SIDE**2 if length == 1 else SIDE
    levels = torch.special.ndtri((torch.arange(steps) + 0.5) / steps)
    z = {0: torch.ones(SIDE**2, 1), 1: levels[:, None], 2: torch.cartesian_prod(levels, levels)}[length]
    with torch.inference_mode():
        return to_uint8(generator(z))


def _draw(fans: dict[int, np.ndarray]) -> None:
    """The grids side by side, each under its latent's length."""
    grids = {length: grid(pixels, SIDE, scale=1, gap=1) for length, pixels in fans.items()}
    side, gap, head = grids[0].width, 12, 22
    sheet = Image.new("L", (len(grids) * (side + gap) - gap, side + head), "white")
    pen = ImageDraw.Draw(sheet)
    for i, (length, picture) in enumerate(grids.items()):
        sheet.paste(picture, (i * (side + gap), head))
        pen.text((i * (side + gap) + side / 2, head / 2), f"z = {length}", "black", ImageFont.load_default(14), "mm")
    save_png(sheet, FIGURE)
