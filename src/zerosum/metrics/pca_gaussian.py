"""PCA-Gaussian: the generative model that needs no game, and so the bar that a game has to clear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zerosum.core.batch import DataShape, Images, Source, Table
from zerosum.core.errors import Refusal

COMPONENTS = 256
PICTURES = 10_000
VALUES = PICTURES * 64 * 64 * 3
OVERSAMPLED = 32
POWER_STEPS = 2
BATCH = 256


@dataclass(frozen=True)
class PcaGaussian:
    """A Gaussian in the plane of the leading principal components of the training pictures' pixels."""

    shape: DataShape
    mean: Tensor  # float32 [D], D = C * H * W
    axes: Tensor  # float32 [D, components], orthonormal
    deviations: Tensor  # float32 [components], falling
    pictures: int  # how many it was fitted to

    def images(self, n: int, seed: int = 0) -> Tensor:
        """n samples, float32 [n, C, H, W], clipped to [-1, 1]. Sample i depends on `seed` and i alone."""
        return self.unclipped(n, seed).clamp_(-1, 1)

    def unclipped(self, n: int, seed: int = 0) -> Tensor:
        """The same before clipping: exactly Gaussian."""
        noise = np.random.default_rng(seed).standard_normal((n, len(self.deviations)), dtype=np.float32)
        flat = self.mean + (torch.from_numpy(noise) * self.deviations) @ self.axes.T
        return flat.view(n, self.shape.channels, self.shape.height, self.shape.width)

    def nearest(self, x: Tensor, components: int | None = None) -> Tensor:
        """The points of the plane that lie nearest to examples x, float [n, ...]: what so many numbers keep of them."""
        axes, centred = self.axes[:, :components], x.flatten(1) - self.mean
        return (self.mean + centred @ axes @ axes.T).view_as(x)


def fit(source: Source, components: int = COMPONENTS, pictures: int = PICTURES, seed: int = 0) -> PcaGaussian:
    """Fits mean and leading covariance to `pictures` random pictures, or rows, of the source (all, if it has fewer).

    At more than 64 x 64 x 3 values a picture, fewer are read, so that the time stays the same, but never fewer than
    1,024: those settle 256 components. By randomised subspace iteration (Halko et al. 2011, arXiv 0909.4061, algorithm
    4.4) over batches of the source: memory holds two matrices [D, components + 32] and one batch, however many pictures
    there are. Raises Refusal for a source of anything else, or of fewer than two.
    """
    if not issubclass(source.holds, Images | Table) or len(source) < 2:
        raise Refusal(
            f"{source.name} holds {len(source)} {source.holds.called}: PCA wants pictures or rows, at least 2."
        )
    rng = np.random.default_rng(seed)
    size = source.shape.channels * source.shape.height * source.shape.width
    num = min(len(source), pictures, max(1024, VALUES // size))
    chosen = np.sort(rng.choice(len(source), num, replace=False))
    mean = torch.zeros(size)
    for x in _rows(source, chosen):
        mean += x.sum(0) / num
    width = min(components + OVERSAMPLED, size, num - 1)
    axes = torch.from_numpy(rng.standard_normal((size, width), dtype=np.float32))
    for _ in range(POWER_STEPS):
        image = torch.zeros_like(axes)
        for x in _rows(source, chosen):
            x = x - mean
            image.addmm_(x.T, x @ axes)
        axes = torch.linalg.qr(image).Q
    scatter = torch.zeros(width, width, dtype=torch.float64)
    for x in _rows(source, chosen):
        seen = ((x - mean) @ axes).double()
        scatter.addmm_(seen.T, seen)
    variances, turn = torch.linalg.eigh(scatter / (num - 1))
    variances, turn = variances.flip(0)[:components], turn.flip(1)[:, :components]  # eigh's order is rising
    return PcaGaussian(source.shape, mean, axes @ turn.float(), variances.clamp(0).sqrt().float(), num)


def _rows(source: Source, indices: np.ndarray) -> Iterator[Tensor]:
    """The pictures at `indices` as rows, float32 [at most BATCH, C * H * W]."""
    for start in range(0, len(indices), BATCH):
        x = source.batch(indices[start : start + BATCH]).x  # type: ignore[attr-defined]
        yield x.flatten(1)
