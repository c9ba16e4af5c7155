"""What all tests share: small made-up data, and caches that hold nothing of the machine's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # tiny networks gain nothing from threads, and two processes would fight for cores

import numpy as np
import pytest
import torch

from zerosum.core.batch import Batch, DataShape, Images
from zerosum.core.pictures import from_uint8

torch.set_num_threads(1)


class Blobs:
    """A Source of made-up pictures: one soft coloured blob each, somewhere."""

    name = "blobs"
    holds: type[Batch] = Images

    def __init__(self, count: int = 64, shape: DataShape | None = None, seed: int = 0):
        self.shape = shape or DataShape(32, 32, 3)
        self._heldout = seed
        random = np.random.default_rng(seed)
        rows, columns = np.indices((self.shape.height, self.shape.width))[:, None]
        at = (
            random.uniform(0.2, 0.8, (2, count, 1, 1))
            * np.array([self.shape.height, self.shape.width])[:, None, None, None]
        )
        soft = np.exp(-((rows - at[0]) ** 2 + (columns - at[1]) ** 2) / 40)
        tint = random.uniform(0, 255, (count, 1, 1, self.shape.channels))
        self.pixels = (soft[..., None] * tint).astype(np.uint8)
        self.fingerprint = hashlib.sha256(self.pixels.tobytes()).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(self, indices: np.ndarray) -> Images:
        return Images(from_uint8(self.pixels[indices]))

    def heldout(self) -> Blobs:
        return Blobs(len(self), self.shape, self._heldout + 1)


@pytest.fixture
def blobs() -> Blobs:
    """64 blobs of 32 x 32 in RGB."""
    return Blobs()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole session's cache: empty at first, so that nothing of this machine is believed. CI may name one."""
    path = Path(os.environ.get("ZEROSUM_TEST_CACHE") or tmp_path_factory.mktemp("cache"))
    os.environ["ZEROSUM_CACHE"] = str(path)
    return path
