"""A map of codes: every picture at its place, with the colour of its class."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from zerosum.core.pictures import on_checkers, to_pil
from zerosum.report.charts import LIGHT, Theme, blank

SIDE = 1000  # px of the map's ground, on which no two pictures lie over each other
PICTURE, LARGEST = 34, 72  # px; the longer side of a picture there, of many and of few
FRAME = 2  # px of colour about a picture
MOST = 10  # classes that can be told apart by colour
EDGE = 0.5  # per cent of the codes at each end that the map's edge may cut off, and draws on it


def plane(codes: np.ndarray) -> tuple[np.ndarray, str]:
    """Places on a map, float64 [n, 2], of codes, float [n, k], and what its axes are.

    Two numbers are the place themselves; of more, their two principal components are; one is drawn against nothing.
    """
    codes = codes.astype(np.float64)
    if codes.shape[1] == 1:
        return np.hstack([codes, np.zeros_like(codes)]), "the code's one number"
    if codes.shape[1] == 2:
        return codes, "the code's two numbers"
    _, vectors = np.linalg.eigh(np.cov(codes, rowvar=False))
    return (codes - codes.mean(0)) @ vectors[:, :-3:-1], "the two principal components of the codes"


def draw(
    places: np.ndarray,
    axes_are: str,
    classes: Sequence[str] | None = None,
    label: str = "",
    pixels: np.ndarray | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """The map of `places`, float [n, 2]; a dot each, with the colour of its class where there are few enough.

    `pixels`, uint8 [at most n, H, W, C]: the first pictures, drawn in this order as long as there is room.
    """
    low, high = np.percentile(places, [EDGE, 100 - EDGE], axis=0)
    room = np.where(high > low, 0.06 * (high - low), 1.0)
    low, high = low - room, high + room
    names = sorted(set(classes or ()))
    shades = {name: matplotlib.colormaps["tab10"](i) for i, name in enumerate(names)} if len(names) <= MOST else {}
    colours = [shades.get(name, theme.accent) for name in classes or [""] * len(places)]
    figure = blank(8.4, 8.4, theme)
    axes = figure.add_subplot()
    inside = places.clip(low, high)
    size = min(40, max(7, 5000 / len(places)))
    axes.scatter(inside[:, 0], inside[:, 1], s=size, c=colours, linewidths=0, alpha=0.6)
    if pixels is not None:
        tints = [tuple(round(255 * c) for c in matplotlib.colors.to_rgb(colour)) for colour in colours]
        at = ((inside - low) / (high - low) * SIDE).round().astype(int)
        axes.imshow(
            _ground(at[: len(pixels)], pixels, tints[: len(pixels)]),
            extent=(low[0], high[0], low[1], high[1]),
            aspect="auto",
            zorder=3,
        )
    _finish(axes, (low, high), axes_are, theme)
    for name in names if shades else ():
        axes.scatter([], [], s=24, c=[shades[name]], label=name or "none")
    if shades:
        axes.legend(title=label, frameon=False, fontsize=8.5, ncols=min(5, len(shades)), loc="lower center",
                    bbox_to_anchor=(0.5, 1.0), labelcolor=theme.ink, handletextpad=0.1)  # fmt: skip
    return figure


def _ground(at: np.ndarray, pixels: np.ndarray, tints: Sequence[tuple[int, ...]]) -> np.ndarray:
    """uint8 [SIDE, SIDE, 4]: as many pictures as find room, each in its frame; the rest is see-through."""
    ground = np.zeros((SIDE, SIDE, 4), np.uint8)
    side = min(LARGEST, max(PICTURE, SIDE // (2 * math.isqrt(len(pixels)) or 1)))
    for (x, y), picture, tint in zip(at, on_checkers(pixels), tints, strict=True):
        small = to_pil(picture).convert("RGB")
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        framed = np.full((small.height + 2 * FRAME, small.width + 2 * FRAME, 4), (*tint, 255), np.uint8)
        framed[FRAME:-FRAME, FRAME:-FRAME, :3] = np.asarray(small)
        height, width = framed.shape[:2]
        top, left = SIDE - y - height // 2, x - width // 2
        place = ground[max(0, top) : top + height, max(0, left) : left + width]
        if place.shape == framed.shape and not place.any():
            place[...] = framed
    return ground


def _finish(axes: Axes, ends: tuple[np.ndarray, np.ndarray], axes_are: str, theme: Theme) -> None:
    (left, bottom), (right, top) = ends
    axes.set(xlim=(left, right), ylim=(bottom, top), box_aspect=1)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_color(theme.rule)
    axes.tick_params(colors=theme.muted, labelsize=8.5, length=0, pad=5)
    axes.set_xlabel(axes_are, fontsize=8.5, color=theme.muted, loc="right")
