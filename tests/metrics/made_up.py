"""Sources of pictures that are made of numbers, for tests."""

from __future__ import annotations

import hashlib

import numpy as np

from zerosum.core.batch import Batch, DataShape, Images
from zerosum.core.pictures import from_uint8


class Made:
    """A Source of pictures held in memory, uint8 [n, H, W, C]."""

    holds: type[Batch] = Images

    def __init__(self, pixels: np.ndarray, heldout: np.ndarray | None = None, name: str = "made"):
        self.name = name
        self.pixels = pixels
        self.shape = DataShape(*pixels.shape[1:])
        self.fingerprint = hashlib.sha256(pixels.tobytes()).hexdigest()[:16]
        self._heldout = heldout

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray) -> Images:
        return Images(from_uint8(self.pixels[indices]))

    def heldout(self) -> Made | None:
        return None if self._heldout is None else Made(self._heldout, name=self.name)


def scenes(n: int, seed: int = 0, side: int = 32) -> np.ndarray:
    """Pictures with sharp edges and fine texture: a striped disc of any colour, anywhere, on a ground of any colour."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((side, side))
    ground, colour = rng.uniform(0, 1, (2, n, 1, 1, 3))
    y, x = rng.uniform(0.3, 0.7, (2, n, 1, 1)) * side
    radius = rng.uniform(0.15, 0.4, (n, 1, 1)) * side
    inside = ((rows - y) ** 2 + (columns - x) ** 2 < radius**2)[..., None]
    stripes = 0.75 + 0.25 * ((rows + columns) % 4 < 2)[None, ..., None]
    pixels = np.where(inside, colour * stripes, ground) + rng.normal(0, 0.03, (n, side, side, 3))
    return (pixels.clip(0, 1) * 255).round().astype(np.uint8)
