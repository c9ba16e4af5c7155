"""Curves for the docs, drawn from what a bench has measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from zerosum.core.files import written
from zerosum.report.charts import LIGHT, blank, to_png

COLOURS = (LIGHT.accent, LIGHT.second, LIGHT.third, LIGHT.muted)


@dataclass(frozen=True)
class Curves:
    """One panel: by name, the values x and y of each curve. `scales` are those of both axes: "linear" or "log"."""

    title: str
    below: str  # what x is
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    scales: tuple[str, str] = field(default=("linear", "linear"))


def draw(panels: Sequence[Curves], path: Path) -> None:
    """Writes the panels side by side as a PNG; the first names the curves, which the others have in the same order."""
    figure = blank(5.1 * len(panels), 3.2)
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), number + 1)
        for colour, (name, (x, y)) in zip(COLOURS, panel.curves.items(), strict=False):
            axes.plot(x, y, color=colour, linewidth=1.8, marker="o" if len(x) < 15 else "", markersize=3.5, label=name)
        _finish(axes, panel)
    names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        *names, loc="outside upper right", ncols=2 * len(panels), frameon=False, fontsize=8.5, labelcolor=LIGHT.ink
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as temporary:
        temporary.write_bytes(to_png(figure))


def _finish(axes: Axes, panel: Curves) -> None:
    axes.set(xscale=panel.scales[0], yscale=panel.scales[1], facecolor="none")
    if panel.scales[0] == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_title(panel.title, loc="left", fontsize=10, color=LIGHT.ink, pad=9)
    axes.set_xlabel(panel.below, fontsize=8.5, color=LIGHT.muted, loc="right")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(LIGHT.rule)
    axes.grid(axis="y", color=LIGHT.rule, linewidth=0.8)
    axes.tick_params(which="both", colors=LIGHT.muted, labelsize=8.5, length=0, pad=5)
