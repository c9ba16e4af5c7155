"""A run's curves as pictures: the losses, and the scores beside the lines that give them a meaning."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator

from zerosum.core.errors import Refusal
from zerosum.core.files import written
from zerosum.core.run import Run
from zerosum.metrics.names import SCORES

PLAYERS = {"D_real": "D on real", "D_fake": "D on fakes", "G": "G"}
MAX_PANELS = 6  # small panels for other notes; a game with more is read in log.jsonl
DPI = 160


@dataclass(frozen=True)
class Theme:
    """The colours of a chart: text and lines on light or on dark ground."""

    ground: str
    ink: str
    muted: str
    rule: str
    accent: str
    second: str
    third: str


LIGHT = Theme("#ffffff", "#1d1e21", "#696c72", "#e3e2de", "#0b7a70", "#c2701c", "#4b5d8f")
DARK = Theme("#17181b", "#e9e8e4", "#9c9fa6", "#303237", "#45c4b6", "#e79a4b", "#93a6dd")


def loss_chart(run: Run) -> Path:
    """Writes `losses.png`: D on real, D on fakes and G, then each other note, against the images drawn.

    Raises Refusal if the log is empty.
    """
    return _save(draw_losses(_lines(run.log(), run, "log.jsonl")), run.path / "losses.png")


def score_chart(run: Run) -> Path:
    """Writes `scores.png`: each score with its interval, its floor (or ceiling) and PCA-Gaussian's as lines.

    Raises Refusal if the run has not been scored yet.
    """
    return _save(draw_scores(_lines(run.metrics(), run, "metrics.jsonl")), run.path / "scores.png")


def draw_losses(log: Sequence[dict[str, Any]], theme: Theme = LIGHT, columns: int = 3) -> Figure:
    """The losses' figure: one wide panel, then small ones in rows of `columns`; with 1, narrow enough for a phone."""
    x = np.array([line["images"] for line in log], float)
    curves = {name: _curve(log, name) for name in _notes(log)}
    main = {name: curves[name] for name in PLAYERS if name in curves}
    others = {name: y for name, y in curves.items() if name not in main}
    if not main:  # a game whose players bear other names
        main, others = others, {}
    small = dict(list(others.items())[:MAX_PANELS])
    figure, top, rest = _panels(len(small), columns, theme)
    colours = (theme.third, theme.second, theme.accent, theme.muted)
    for i, (name, y) in enumerate(main.items()):
        _line(top, x, y, colours[i % len(colours)], PLAYERS.get(name, name))
    _limit(top, list(main.values()))
    top.set_title("Losses", **_title(theme))
    if main:
        top.legend(frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1.01, 0.99), fontsize=9, handlelength=1.2,
                   labelcolor=theme.ink, borderaxespad=0.3, columnspacing=1.2)  # fmt: skip
    for axes, (name, y) in zip(rest, small.items(), strict=True):
        _line(axes, x, y, theme.accent, name)
        _limit(axes, [y])
        axes.set_title(name.replace("_", " "), **_title(theme))
    _label_images([top, *rest], log[-1]["images"], theme)
    return figure


def draw_scores(metrics: Sequence[dict[str, Any]], theme: Theme = LIGHT, columns: int = 3) -> Figure:
    """The scores' figure: a panel a score, in rows of `columns`."""
    names = score_names(metrics)
    rows = max(1, -(-len(names) // columns))
    figure = _figure(columns, 2.7 * rows, theme)
    panels = [figure.add_subplot(rows, min(columns, max(1, len(names))), i + 1) for i in range(len(names))]
    drawn: dict[str, Artist] = {}
    for axes, name in zip(panels, names, strict=True):
        _style(axes, theme)
        points = [(line["images"], line[name]) for line in metrics if _is_score(line.get(name))]
        drawn |= _score_panel(axes, points, theme)
        axes.set_title(SCORES.get(name, name.replace("_", " ")), **_title(theme))
    if drawn:  # above all panels, where no curve can run through the names
        figure.legend(drawn.values(), drawn.keys(), loc="outside upper right", ncols=3, frameon=False, fontsize=8.5,
                      labelcolor=theme.ink, borderaxespad=0.1, columnspacing=1.4, handlelength=1.9)  # fmt: skip
    _label_images(panels, metrics[-1]["images"], theme)
    return figure


def score_names(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """The scores that some line holds: the known ones first, then others as they come."""
    held = [name for line in metrics for name, score in line.items() if _is_score(score)]
    return [name for name in dict.fromkeys([*SCORES, *held]) if name in held]


def to_png(figure: Figure, transparent: bool = False) -> bytes:
    """The figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=transparent)
    return buffer.getvalue()


def blank(width: float, height: float, theme: Theme = LIGHT) -> Figure:
    """A figure of its own, outside pyplot, so many inches wide and high."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.1, hspace=0.04, wspace=0.02)
    figure = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor=theme.ground)
    FigureCanvasAgg(figure)
    return figure


def smoothed(y: np.ndarray, width: float) -> np.ndarray:
    """Gaussian running mean of y, float [n], with standard deviation `width` in samples; the ends keep to the data.

    What is not finite is left out of the mean.
    """
    reach = max(1, int(3 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(width, 1e-6)) ** 2)
    held = np.isfinite(y)
    total = np.convolve(np.where(held, y, 0.0), kernel)[reach : reach + len(y)]
    weight = np.convolve(held.astype(float), kernel)[reach : reach + len(y)]
    return np.divide(total, weight, out=np.full(len(y), np.nan), where=weight > 1e-9)


def _lines(lines: list[dict], run: Run, file: str) -> list[dict]:
    if not lines:
        raise Refusal(f"{run.path}: {file} holds nothing yet. Train further, and try again.")
    return lines


def _save(figure: Figure, path: Path) -> Path:
    with written(path) as temporary:
        temporary.write_bytes(to_png(figure))
    return path


def _notes(log: Sequence[dict[str, Any]]) -> list[str]:
    """What the log tells of, less what never changes: a panel with a flat line says nothing."""
    names = dict.fromkeys(name for line in log for name in line)
    told = [name for name in names if name not in ("images", "rounds") and np.isfinite(_curve(log, name)).any()]
    return [name for name in told if name in PLAYERS or np.nanmin(y := _curve(log, name)) < np.nanmax(y)]


def _curve(log: Sequence[dict[str, Any]], name: str) -> np.ndarray:
    values = [line.get(name) for line in log]
    return np.array([v if isinstance(v, int | float) else np.nan for v in values], float)


def _is_score(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("value"), int | float)


def _figure(columns: int, height: float, theme: Theme) -> Figure:
    """Inches, one CSS pixel to a hundredth of an inch in the report."""
    return blank(10.2 if columns > 1 else 4.2, height, theme)


def _panels(num_small: int, columns: int, theme: Theme) -> tuple[Figure, Axes, list[Axes]]:
    rows = -(-num_small // columns)
    figure = _figure(columns, 2.9 + 1.9 * rows, theme)
    cells = figure.add_gridspec(1 + rows, columns, height_ratios=[1.6] + [1] * rows)
    top = figure.add_subplot(cells[0, :])
    rest = [figure.add_subplot(cells[1 + i // columns, i % columns]) for i in range(num_small)]
    for axes in (top, *rest):
        _style(axes, theme)
    return figure, top, rest


def _style(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor("none")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(theme.rule)
    axes.grid(axis="y", color=theme.rule, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.muted, labelsize=8.5, length=0, pad=5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _title(theme: Theme) -> dict[str, Any]:
    return {"loc": "left", "fontsize": 10, "color": theme.ink, "pad": 9}


def _label_images(panels: list[Axes], images: int, theme: Theme) -> None:
    """From no image to the last, in every panel; the unit of x, once: under the last panel."""
    for axes in panels:
        axes.set_xlim(0, 1.04 * images or 1.0)
    if panels:
        panels[-1].set_xlabel("images drawn", fontsize=8.5, color=theme.muted, loc="right")


def _short(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value / 1e6:g} M"
    return f"{value / 1e3:g} k" if abs(value) >= 1e3 else f"{value:g}"


def _line(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, label: str) -> None:
    if len(x) < 12:
        axes.plot(x, y, color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)
        return
    axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.25)
    axes.plot(x, smoothed(y, len(y) / 60), color=colour, linewidth=1.8, label=label, solid_capstyle="round")


def _limit(axes: Axes, curves: list[np.ndarray]) -> None:
    """Leaves single spikes out of the panel, so that the rest can be read."""
    values = [y[np.isfinite(y)] for y in curves]
    values = [y for y in values if len(y)]
    if not values:
        return
    low = min(np.percentile(y, 1) for y in values)
    high = max(np.percentile(y, 99) for y in values)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    axes.set_ylim(low - room, high + room)


def _score_panel(axes: Axes, points: list[tuple[int, dict]], theme: Theme) -> dict[str, Artist]:
    """The score with its interval, and the lines that give it a meaning. Returns what the legend names."""
    x = np.array([images for images, _ in points], float)
    value, low, high = (np.array([s.get(k, s["value"]) for _, s in points], float) for k in ("value", "low", "high"))
    axes.fill_between(x, low, high, color=theme.accent, alpha=0.15, linewidth=0)
    if len(x) == 1:
        axes.vlines(x, low, high, color=theme.accent, linewidth=1.6)
    (curve,) = axes.plot(x, value, color=theme.accent, linewidth=1.8, marker="o" if len(x) < 12 else "", markersize=4)
    drawn: dict[str, Artist] = {"this run": curve}
    newest = points[-1][1]
    known = {"PCA-Gaussian": newest.get("pca_gaussian"), "real pictures": newest.get("floor", newest.get("ceiling"))}
    held = {label: y for label, y in known.items() if y is not None and np.isfinite(y)}
    for label, y in held.items():
        colour, dashes = (theme.second, (4, 2)) if label == "PCA-Gaussian" else (theme.muted, (1.2, 1.6))
        drawn[label] = axes.axhline(y, color=colour, linewidth=1.4, linestyle=(0, dashes))
    _limit_scores(axes, np.array([*value[len(value) // 2 :], *held.values()]), np.array([*value, *low, *high]))
    return drawn


def _limit_scores(axes: Axes, wanted: np.ndarray, rest: np.ndarray) -> None:
    """From 0 to the highest of the later scores and the lines; earlier scores far above run out of the panel, as they
    would flatten all the rest."""
    wanted, rest = wanted[np.isfinite(wanted)], rest[np.isfinite(rest)]
    known = np.array([*wanted, *rest])
    if len(known):
        low, high = min(0.0, known.min()), min(known.max(), 3 * max(wanted, default=np.inf))
        room = 0.06 * (high - low) or 0.1
        axes.set_ylim(low - room / 2, high + room)
