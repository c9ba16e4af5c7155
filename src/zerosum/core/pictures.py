"""Pictures as arrays and as files: conversion, grids, PNG with text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from zerosum.core.files import written

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def to_uint8(x: Tensor) -> np.ndarray:
    """uint8 [n, H, W, C] from float [n, C, H, W] in [-1, 1]; values outside are clipped."""
    levels = x.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(pixels: np.ndarray) -> Tensor:
    """float32 [n, C, H, W] in [-1, 1] from uint8 [n, H, W, C]; stored channels last."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_pil(pixels: np.ndarray) -> Image.Image:
    """A Pillow image from uint8 [H, W, C] with 1 to 4 channels."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, MODES[pixels.shape[2]])


def on_checkers(pixels: np.ndarray) -> np.ndarray:
    """Pictures without transparency, uint8 [..., H, W, 1 or 3]: a see-through one lies on a grey chequered ground."""
    if pixels.shape[-1] in (1, 3):
        return pixels
    height, width = pixels.shape[-3:-1]
    rows, columns = np.indices((height, width)) // max(2, height // 16)
    ground = np.where((rows + columns) % 2, 204, 255)[..., None]
    alpha = pixels[..., -1:].astype(np.float32) / 255
    return (pixels[..., :-1] * alpha + ground * (1 - alpha)).round().astype(np.uint8)


def grid(pixels: np.ndarray, columns: int | None = None, scale: int | None = None, gap: int = 2) -> Image.Image:
    """Pictures, uint8 [n, H, W, C], in rows on white; small ones are enlarged by a whole `scale`, without smoothing.

    `columns` defaults to the square root of n. Transparency lies on a chequered ground.
    """
    pixels = on_checkers(pixels)
    n, height, width, channels = pixels.shape
    scale = scale or max(1, 96 // max(height, width))
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width = height * scale, width * scale
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8)
    for i, picture in enumerate(pixels):
        top, left = (i // columns) * (height + gap) + gap, (i % columns) * (width + gap) + gap
        sheet[top : top + height, left : left + width] = picture
    return to_pil(sheet)


def labelled_columns(
    columns: Sequence[np.ndarray], titles: Sequence[str], scale: int | None = None, gap: int = 2
) -> Image.Image:
    """Columns of pictures, each uint8 [n, H, W, C] of equal shape, side by side, with a title above each."""
    from PIL import ImageDraw, ImageFont

    n = len(columns[0])
    woven = np.stack(columns, axis=1).reshape(n * len(columns), *columns[0].shape[1:])
    body = grid(woven, columns=len(columns), scale=scale, gap=gap).convert("RGB")
    font = ImageFont.load_default(12)
    sheet = Image.new("RGB", (body.width, body.height + 18), "white")
    sheet.paste(body, (0, 18))
    draw = ImageDraw.Draw(sheet)
    for i, title in enumerate(titles):
        draw.text(((i + 0.5) * body.width / len(columns), 9), title, fill="black", font=font, anchor="mm")
    return sheet


def save_png(picture: Image.Image, path: str | Path, text: Mapping[str, str] | None = None) -> None:
    """Writes a PNG, whole or not at all; `text` goes into its text chunks (seed, model, ...)."""
    info = PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    with written(Path(path)) as temporary:
        picture.save(temporary, format="PNG", pnginfo=info)
