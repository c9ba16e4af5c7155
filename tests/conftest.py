"""What all tests share: small made-up data, and caches that hold nothing of the machine's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # tiny networks gain nothing from threads, and two processes would fight for cores

import numpy as np
import pytest
import torch

from zerosum.core.batch import Batch, DataShape, Images, Source, Table, Unpaired
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
        return Images(from_uint8(self.pixels[indices]), self._labels(indices))

    def _labels(self, indices: np.ndarray) -> torch.Tensor | None:
        """Where the shape has attributes: classes in turn."""
        counts = [len(attribute.classes) for attribute in self.shape.attributes]
        return torch.from_numpy(np.stack([indices % count for count in counts], 1)) if counts else None

    def heldout(self) -> Blobs:
        return Blobs(len(self), self.shape, self._heldout + 1)


class Twins:
    """A Source of made-up pictures of two domains, drawn apart."""

    name = "twins"
    holds: type[Batch] = Unpaired

    def __init__(self, count: int = 64, shape: DataShape | None = None):
        self._x, self._y = Blobs(count, shape), Blobs(count, shape, seed=9)
        self.shape, self.fingerprint = self._x.shape, self._x.fingerprint + self._y.fingerprint

    def __len__(self) -> int:
        return len(self._x)

    def batch(self, indices: np.ndarray) -> Unpaired:
        return Unpaired(self._x.batch(indices).x, self._y.batch((indices + 1) % len(self)).x)

    def heldout(self) -> Twins | None:
        return None


class Rows:
    """A Source of made-up table rows: eight columns of which three numbers decide."""

    name = "rows"
    holds: type[Batch] = Table
    shape = DataShape(1, 8, 1)
    fingerprint = "rows"

    def __init__(self, count: int = 64):
        random = np.random.default_rng(0)
        self.rows = (random.normal(size=(count, 3)) @ random.normal(size=(3, 8))).astype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: np.ndarray) -> Table:
        return Table(torch.from_numpy(self.rows[indices]))

    def heldout(self) -> Rows | None:
        return None


def made_up(kind: type[Batch], shape: DataShape | None = None) -> Source:
    """A source of this kind; pictures of `shape`."""
    return Rows() if kind is Table else {Images: Blobs, Unpaired: Twins}[kind](shape=shape)


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
