"""Small versions of grids for the list of runs: the upper left of each, in WebP."""

from __future__ import annotations

import functools
import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from zerosum.core.errors import Refusal

SHOWN = 400  # pixels of the grid's upper left corner, of about four pictures a side
SIDE = 256  # pixels of the thumbnail


def thumbnail(path: Path) -> bytes:
    """WebP, at most SIDE pixels a side. Raises Refusal where the file is no picture."""
    stat = path.stat()
    return _made(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=256)
def _made(path: Path, changed: int, size: int) -> bytes:
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            corner = picture.convert("RGB").crop((0, 0, min(SHOWN, picture.width), min(SHOWN, picture.height)))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise Refusal(f"{path.name} is damaged and cannot be shown.") from error
    corner.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    corner.save(out, format="WEBP", quality=82, method=2)
    return out.getvalue()
