"""What the discriminator looks at: its gradient with respect to the picture, as a heat map over the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from zerosum.core.errors import Refusal
from zerosum.core.generator import Judges, Samples
from zerosum.core.pictures import from_uint8, labelled_columns, save_png, to_uint8
from zerosum.core.run import Run
from zerosum.report.film import pictures_in

PICTURE = 144  # px; a picture of the sheet at least
COLD_AND_HOT = (50, 99)  # the percentiles of a map that are drawn as nothing and as the hottest


def looks(run: Run, generator: Any, out: str | Path | None = None, num: int = 6, seed: int = 0) -> Path:
    """`looks.png` (or `out`): `num` of the run's real pictures and as many made ones, each beside what the judge looks
    at, and above them its mean score of those shown.

    Raises Refusal if the generator holds no judge or does not sample, if the run has no real pictures to show, or if
    they are transparent.
    """
    real, made = _reals(run, num), _made(generator, num, seed)
    columns, titles = [], []
    for name, x in (("real", real), ("made", made)):
        pixels = np.repeat(to_uint8(x), 3 // x.shape[1], axis=3)
        with torch.inference_mode():
            score = generator.score(x.to(generator.device)).float().mean().item()
        columns += [pixels, np.stack([_over(*pair) for pair in zip(pixels, saliency(generator, x), strict=True)])]
        titles += [f"{name}, score {score:+.1f}", "the judge looks at"]
    out = Path(out or run.path / "looks.png")
    sheet = labelled_columns(columns, titles, scale=max(1, -(-PICTURE // max(real.shape[2:]))))
    save_png(sheet, out, {"Title": "What the discriminator looks at: the brighter, the more its score hangs on it"})
    return out


def saliency(generator: Judges, x: Tensor, draws: int = 32, noise: float = 0.15, seed: int = 0) -> np.ndarray:
    """How much the judge's score of pictures x, float [n, C, H, W] in [-1, 1], hangs on each pixel: float [n, H, W].

    The gradient's largest magnitude over the channels (Simonyan et al. 2014, arXiv 1312.6034, section 3.1), the
    gradient being the mean over `draws` copies with normal noise of `noise` times the range of values (SmoothGrad,
    Smilkov et al. 2017, arXiv 1706.03825, section 3), which steadies it.
    """
    device = getattr(generator, "device", "cpu")
    random, total = torch.Generator().manual_seed(seed), torch.zeros(x.shape)
    for _ in range(draws):
        noisy = (x + 2 * noise * torch.randn(x.shape, generator=random)).to(device).requires_grad_(True)
        (gradient,) = torch.autograd.grad(generator.score(noisy).sum(), noisy)
        total += gradient.float().cpu()
    return (total / draws).abs().amax(1).numpy()


def _reals(run: Run, num: int) -> Tensor:
    """The first real pictures that the run has drawn, float [num, C, H, W] in [-1, 1]."""
    path, shape = run.path / "reals.png", run.info["shape"]
    if shape["channels"] in (2, 4):
        raise Refusal(f"{run.path}: its pictures are transparent, and what the judge sees of them cannot be drawn yet.")
    if not path.is_file():
        raise Refusal(f"{run.path}: holds no reals.png, the real pictures to show beside the made ones.")
    return from_uint8(pictures_in(path, shape["height"], shape["width"])[:num])


def _made(generator: Any, num: int, seed: int) -> Tensor:
    """Pictures of the generator, float [num, C, H, W] in [-1, 1]. Raises Refusal if it holds no judge."""
    name, judges = generator.header.game, isinstance(generator, Judges)
    if not judges or generator.judge is None:
        raise Refusal(
            f"{name} holds no judge: nothing in it tells real pictures from made ones, so there is nothing that looks. "
            "Name a run of a game with a discriminator, such as house or dcgan."
        )
    if not isinstance(generator, Samples):
        raise Refusal(f"{name} makes nothing from noise alone: there is nothing to show.")
    return generator.images(num, seed)  # type: ignore[attr-defined]


def _over(pixels: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The picture, uint8 [H, W, 3], in dim grey, and over it the upper half of its map, float [H, W], in colour."""
    soft = gaussian_filter(heat, max(heat.shape) / 40)
    cold, hot = np.percentile(soft, COLD_AND_HOT)
    strength = np.clip((soft - cold) / max(hot - cold, 1e-12), 0, 1)
    glow = matplotlib.colormaps["inferno"](0.3 + 0.7 * strength)[..., :3] * 255
    grey = np.asarray(Image.fromarray(pixels).convert("L"))[..., None] * 0.7
    return (strength[..., None] * glow + (1 - strength[..., None]) * grey).round().astype(np.uint8)
