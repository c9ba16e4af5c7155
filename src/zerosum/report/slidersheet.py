"""A drawing of directions: a row for each, with its name, of the same pictures moved along it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zerosum.core.pictures import grid

LEFT, TOP = 170, 18  # pixels for names and titles


def sheet(rows: Sequence[np.ndarray], names: Sequence[str], titles: Sequence[str]) -> Image.Image:
    """Rows of pictures, each uint8 [n, H, W, C] of equal shape, a name left of each and a title above each column."""
    scale = max(1, 64 // max(rows[0].shape[1:3]))
    body = grid(np.concatenate(rows), columns=len(titles), scale=scale).convert("RGB")
    drawing = Image.new("RGB", (LEFT + body.width, TOP + body.height), "white")
    drawing.paste(body, (LEFT, TOP))
    draw, font = ImageDraw.Draw(drawing), ImageFont.load_default(12)
    for i, name in enumerate(names):
        draw.text((8, TOP + (i + 0.5) * body.height / len(rows)), name[:28], fill="black", font=font, anchor="lm")
    for i, title in enumerate(titles):
        draw.text((LEFT + (i + 0.5) * body.width / len(titles), TOP / 2), title, fill="black", font=font, anchor="mm")
    return drawing
