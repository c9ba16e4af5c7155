"""A set of pictures on one sheet: a selection, sizes and shapes, labels, what is alike, what was refused, advice."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from zerosum.report.charts import DPI, LIGHT, Theme

WIDTH = 12.8  # inches, as all lengths here
MARGIN = 0.55
COLUMNS = 14  # of the contact sheet
ROWS = 3
MOST_PAIRS = 5
_GAP = 0.06
_BARS = 7  # of one chart; what is rarer is summed up
_BAR = 0.3  # the height of one with its name
_CHARTS = 5
_MONO = "DejaVu Sans Mono"

Place = tuple[float, float, float, float]  # left, bottom, width, height


@dataclass(frozen=True)
class Sheet:
    """What is drawn, in plain values. Pictures are uint8 [side, side, 3]."""

    title: str
    subtitle: str
    contact: Sequence[np.ndarray]
    sizes: np.ndarray  # int64 [n, 2], width and height
    chosen: tuple[int, int] | None  # height and width that the advice names
    kinds: dict[str, int]  # "JPEG, RGB": how many
    labels: dict[str, dict[str, int]]
    pairs: Sequence[tuple[np.ndarray, np.ndarray, tuple[str, str]]]  # two pictures alike, and what they are called
    refused: Sequence[tuple[str, int]]
    advice: Sequence[tuple[str, str, str | None]]  # topic, text, command
    num_alike: str = ""
    theme: Theme = field(default=LIGHT)


def draw(sheet: Sheet) -> Figure:
    """The sheet as a figure, as high as it needs to be."""
    blocks: list[_Block] = [_Head(sheet), _Contact(sheet), _Charts(sheet), _Alike(sheet), _Advice(sheet)]
    blocks = [block for block in blocks if block.height]
    height = sum(block.height for block in blocks) + MARGIN
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=sheet.theme.ground)
    FigureCanvasAgg(figure)
    top = height - 0.35
    for block in blocks:
        block.draw(_Page(figure, height, sheet.theme), top)
        top -= block.height
    return figure


class _Block(Protocol):
    """A part of the sheet, as wide as the sheet; of height 0 where there is nothing to show."""

    height: float

    def draw(self, page: _Page, top: float) -> None: ...


@dataclass(frozen=True)
class _Page:
    """Places things in inches, from the left and from the bottom."""

    figure: Figure
    height: float
    theme: Theme

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        return self.figure.add_axes((left / WIDTH, bottom / self.height, width / WIDTH, height / self.height))

    def text(self, left: float, y: float, text: str, size: float = 9.5, colour: str | None = None, **settings) -> None:
        self.figure.text(left / WIDTH, y / self.height, text, fontsize=size, color=colour or self.theme.ink,
                         va=settings.pop("va", "top"), parse_math=False, **settings)  # fmt: skip

    def picture(self, left: float, bottom: float, side: float, pixels: np.ndarray) -> None:
        axes = self.axes(left, bottom, side, side)
        axes.imshow(pixels, interpolation="lanczos" if len(pixels) > side * DPI else "nearest", aspect="auto")
        axes.set_axis_off()


class _Head:
    def __init__(self, sheet: Sheet):
        self.sheet, self.height = sheet, 0.95

    def draw(self, page: _Page, top: float) -> None:
        page.text(MARGIN, top, _short(self.sheet.title, 60), 19, weight="bold")
        page.text(MARGIN, top - 0.42, self.sheet.subtitle, 10.5, page.theme.muted)


class _Contact:
    def __init__(self, sheet: Sheet):
        self.pictures = list(sheet.contact)[: COLUMNS * ROWS]
        self.side = (WIDTH - 2 * MARGIN + _GAP) / COLUMNS - _GAP
        self.height = -(-len(self.pictures) // COLUMNS) * (self.side + _GAP) + 0.35 if self.pictures else 0.0

    def draw(self, page: _Page, top: float) -> None:
        for i, pixels in enumerate(self.pictures):
            row, column = divmod(i, COLUMNS)
            left = MARGIN + column * (self.side + _GAP)
            page.picture(left, top - (row + 1) * (self.side + _GAP) + _GAP, self.side, pixels)


class _Charts:
    """Up to five charts in a row: sizes, shapes, kinds of file, the labels of the fewest classes, what was refused."""

    def __init__(self, sheet: Sheet):
        self.sheet = sheet
        has_sizes = len(np.unique(sheet.sizes, axis=0)) > 1
        self.charts = [_draw_sizes, _draw_shapes] if has_sizes else []
        bars = [("Format and mode", sheet.kinds, sheet.theme.accent)] if has_sizes or len(sheet.kinds) > 1 else []
        labels = sorted(sheet.labels.items(), key=lambda item: len(item[1]))
        bars += [(f"Label: {name}", classes, sheet.theme.third) for name, classes in labels]
        bars = bars[: _CHARTS - len(self.charts) - bool(sheet.refused)]
        self.bars = [*bars, *([("Refused", dict(sheet.refused), sheet.theme.second)] if sheet.refused else [])]
        longest = max((len(counts) for _, counts, _ in self.bars), default=0)
        self.plot = _BAR * (_BARS if has_sizes else min(_BARS, longest))
        self.height = self.plot + 1.0 if self.charts or self.bars else 0.0

    def draw(self, page: _Page, top: float) -> None:
        gap, num = 0.5, max(4, len(self.charts) + len(self.bars))
        width = (WIDTH - 2 * MARGIN + gap) / num - gap
        places = [(MARGIN + i * (width + gap), top - 0.4 - self.plot, width, self.plot) for i in range(num)]
        for draw_chart, place in zip(self.charts, places, strict=False):
            draw_chart(page, self.sheet, place)
        for (title, counts, colour), place in zip(self.bars, places[len(self.charts) :], strict=False):
            _bars(page, place, title, counts, colour)


class _Alike:
    def __init__(self, sheet: Sheet):
        self.sheet, self.pairs = sheet, list(sheet.pairs)[:MOST_PAIRS]
        self.cell = (WIDTH - 2 * MARGIN + 0.3) / MOST_PAIRS - 0.3
        self.side = (self.cell - 0.04) / 2
        self.height = self.side + 1.15 if self.pairs else 0.0

    def draw(self, page: _Page, top: float) -> None:
        _heading(page, MARGIN, top, "Alike", self.sheet.num_alike)
        for i, (one, other, names) in enumerate(self.pairs):
            left, bottom = MARGIN + i * (self.cell + 0.3), top - 0.36 - self.side
            page.picture(left, bottom, self.side, one)
            page.picture(left + self.side + 0.04, bottom, self.side, other)
            for line, name in enumerate(names):
                page.text(left, bottom - 0.08 - 0.16 * line, _short(name, 38), 7.5, page.theme.muted)


class _Advice:
    def __init__(self, sheet: Sheet):
        self.pieces = [(topic, textwrap.wrap(text, 118), command) for topic, text, command in sheet.advice]
        lines = sum(0.215 * len(lines) + (0.38 if command else 0) + 0.16 for _, lines, command in self.pieces)
        self.height = lines + 0.4 if self.pieces else 0.0

    def draw(self, page: _Page, top: float) -> None:
        _heading(page, MARGIN, top, "Advice")
        y = top - 0.36
        for topic, lines, command in self.pieces:
            page.text(MARGIN, y, topic, 9.5, page.theme.accent)
            for line in lines:
                page.text(MARGIN + 1.35, y, line)
                y -= 0.215
            if command:
                box = {"boxstyle": "round,pad=0.45", "facecolor": page.theme.rule, "alpha": 0.5, "linewidth": 0}
                page.text(MARGIN + 1.42, y - 0.07, _short(command, 120), 8.5, family=_MONO, bbox=box)
                y -= 0.38
            y -= 0.16


# -------------------------------------------------------------------------------------------------------------- charts


def _draw_sizes(page: _Page, sheet: Sheet, place: Place) -> None:
    """Each size that occurs as a dot, its area by how often; the shape that the advice names as a frame."""
    axes = _axes(page, place, "Width and height, pixels", indent=0.32)
    sizes, beyond = _within(sheet.sizes)
    found = Counter(map(tuple, _rounded(sizes).tolist()))
    (x, y), num = np.array(list(found)).T, np.array(list(found.values()))
    axes.scatter(x, y, 12 + 300 * num / num.sum(), color=page.theme.accent, alpha=0.55, linewidth=0, clip_on=False)
    most = 1.08 * max(x.max(), y.max())
    axes.plot([0, most], [0, most], color=page.theme.rule, linewidth=1, zorder=0)
    if sheet.chosen:
        height, width = sheet.chosen
        axes.plot([0, width, width], [height, height, 0], color=page.theme.second, linewidth=1.3)
        axes.annotate(f"{width} x {height}", (0, height), (4, 3), textcoords="offset points", fontsize=8,
                      color=page.theme.second)  # fmt: skip
    if beyond:
        axes.annotate(beyond, (1, 1), (0, -2), xycoords="axes fraction", textcoords="offset points", fontsize=8,
                      ha="right", va="top", color=page.theme.muted)  # fmt: skip
    axes.set_xlim(0, most)
    axes.set_ylim(0, most)
    axes.grid(color=page.theme.rule, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _draw_shapes(page: _Page, sheet: Sheet, place: Place) -> None:
    """Width by height on a logarithmic axis, so that 2:1 and 1:2 lie equally far from the square."""
    axes = _axes(page, place, "Shape, width : height", indent=0.32)
    nums, edges = np.histogram(
        np.log2(sheet.sizes[:, 0] / sheet.sizes[:, 1]).clip(-2, 2), np.linspace(-2.125, 2.125, 18)
    )
    axes.bar(edges[:-1] + 0.125, nums, 0.2, color=page.theme.accent)
    axes.set_xlim(-2.2, 2.2)
    axes.set_xticks([-2, -1, 0, 1, 2], ["1:4", "1:2", "1:1", "2:1", "4:1"])
    axes.grid(axis="y", color=page.theme.rule, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _bars(page: _Page, place: Place, title: str, counts: dict[str, int], colour: str) -> None:
    """Bars that lie, each with its name above it and its number at its end; the largest first."""
    axes = _axes(page, place, title)
    shown = sorted(counts.items(), key=lambda item: -item[1])
    if len(shown) > _BARS:
        rest = shown[_BARS - 1 :]
        shown = [*shown[: _BARS - 1], (f"{len(rest)} others", sum(num for _, num in rest))]
    y, nums = -np.arange(len(shown)), [num for _, num in shown]
    axes.barh(y, nums, height=0.24, color=colour, align="edge")
    for at, (name, num) in zip(y, shown, strict=True):
        axes.annotate(_short(name, 34), (0, at + 0.24), (0, 3.5), textcoords="offset points", fontsize=8.5,
                      color=page.theme.ink, parse_math=False)  # fmt: skip
        axes.annotate(f"{num:,}", (num, at + 0.12), (4, 0), textcoords="offset points", fontsize=8.5, va="center",
                      color=page.theme.muted)  # fmt: skip
    axes.set_xlim(0, 1.18 * max(nums))
    axes.set_ylim(0.8 - round(place[3] / _BAR), 0.8)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)


def _axes(page: _Page, place: Place, title: str, indent: float = 0.0) -> Axes:
    """Axes with a title; `indent` leaves room for numbers at the left, so that titles stand in line with all else."""
    left, bottom, width, height = place
    page.text(left, bottom + height + 0.18, _short(title, 34), 10.5, weight="bold", va="center")
    axes = page.axes(left + indent, bottom, width - indent, height)
    axes.set_facecolor("none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(page.theme.rule)
    axes.set_axisbelow(True)
    axes.tick_params(colors=page.theme.muted, labelsize=8, length=0, pad=4)
    return axes


def _heading(page: _Page, left: float, top: float, title: str, beside: str = "") -> None:
    page.text(left, top, title, 10.5, weight="bold")
    page.text(left + 0.55, top, beside, 9.5, page.theme.muted)


def _within(sizes: np.ndarray) -> tuple[np.ndarray, str]:
    """The sizes up to the 99th percentile where the largest would squeeze them together, and a line on what is left
    out; else all of them, and none."""
    longest = sizes.max(axis=1)
    limit = np.percentile(longest, 99, method="lower")
    if longest.max() <= 2 * limit:
        return sizes, ""
    width, height = sizes[longest.argmax()]
    num = int((longest > limit).sum())
    return sizes[longest <= limit], f"{num:,} larger, up to {width} x {height}, not shown"


def _rounded(sizes: np.ndarray) -> np.ndarray:
    """Sizes to about a fiftieth of the largest, so that there are few enough dots to be seen."""
    step = max(1, int(sizes.max()) // 50)
    return np.maximum(1, (sizes / step).round()).astype(np.int64) * step


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
