"""Row balance: each lever shown on a run that fails without it, on eight Gaussians in a ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zerosum.bench import _points
from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core.files import written
from zerosum.core.plan import Plan
from zerosum.report.charts import LIGHT, blank, to_png

FIGURE = Path("docs/img/balance-ring.png")
BATCH, LOOKS = 64, 16
SHOWN = 500  # points in each picture of the figure


@dataclass(frozen=True)
class Run:
    """A run that fails as `settings` have it, and what mends it: by name, the settings to put over them."""

    settings: dict
    rounds: int
    remedies: Mapping[str, dict]
    name: str
    away: float = 0.0  # of the ring's middle from where G begins


RUNS = (
    # Momentum carries G past D's answer to it: the fakes wander round the ring, a mode or two at a time.
    Run(
        {"z": 2, "width": 64, "rate": 3e-3, "beta1": 0.9},
        800,
        {
            "two_rates": {"rate": 3e-4, "levers": {"ttur": 10.0}},  # D's as before, G's a tenth
            "replay": {"levers": {"replay": 4096}},
            "r2": {"levers": {"r2": 3.0}},
        },
        "chase",
    ),
    # D learns at a twentieth of G's rate: it points to where the fakes were, and they have long been elsewhere.
    Run(
        {"z": 2, "width": 64, "rate": 2e-3, "levers": {"ttur": 0.05}},
        600,
        {"n_critic": {"n_critic": 10}},
        "lag",
    ),
    # D is thirty times as quick, and the ring lies where no fake is: it is soon so sure that nothing reaches G.
    Run(
        {"z": 2, "width": 64, "rate": 1e-3, "loss": "minimax", "levers": {"ttur": 30.0}},
        400,
        {
            "skip": {"levers": {"ttur": 30.0, "skip": 0.9}},
            "soft": {"levers": {"ttur": 30.0, "soft": "two-sided"}},
            "noise": {"levers": {"ttur": 30.0, "noise": 3.0}},
            "r1": {"levers": {"ttur": 30.0, "r1": 1.0}},
        },
        "sure",
        away=10.0,
    ),
)


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Each run without a lever, which is to fail, and with each of its remedies, which is to reach the modes."""
    measures: list[Measure] = []
    drawn: dict[str, list[dict]] = {}
    for run in RUNS:
        rounds, count = {"smoke": (4, 2), "quick": (run.rounds // 2, LOOKS), "full": (run.rounds, LOOKS)}[budget]
        ended = {
            name: [_looks(run, change, rounds, seed, count) for seed in seeds]
            for name, change in {f"{run.name}_without": {}, **run.remedies}.items()
        }
        drawn |= {name: found[0] for name, found in ended.items()}
        held = {name: [_held(found) for found in by_seed] for name, by_seed in ended.items()}
        without = max(held[f"{run.name}_without"])
        measures += [
            measure("balance", name, values, **({} if name not in run.remedies else _beside(without)))
            for name, values in held.items()
        ]
    if budget == "full":
        _draw(drawn)
    return measures


def _beside(without: float) -> dict:
    return {"baseline": without, "baseline_name": "best without"}


def _looks(run: Run, change: dict, rounds: int, seed: int, count: int) -> list[dict]:
    settings = {**run.settings, **change}
    images = BATCH * rounds * settings.get("n_critic", 1)
    plan = Plan(images=images, batch=BATCH, order="replacement", precision="fp32", seed=seed)
    return _points.looks(_points.ring(run.away), settings, plan, count)


def _held(looks: Sequence[dict]) -> float:
    """Modes reached, on average over the second half of the looks: what wanders about holds few at a time."""
    return float(np.mean([look["modes"] for look in looks[len(looks) // 2 :]]))


def _draw(drawn: Mapping[str, list[dict]]) -> None:
    """The docs' figure: a column for each run or remedy, with what the first seed made at four looks, downwards."""
    shown = np.linspace(LOOKS // 4, LOOKS, 4).astype(int) - 1
    figure = blank(1.25 * len(drawn), 1.3 * len(shown) + 0.2)
    for column, (name, looks) in enumerate(drawn.items()):
        away = next(run.away for run in RUNS if name in {f"{run.name}_without", *run.remedies})
        for row, look in enumerate(shown):
            axes = figure.add_subplot(len(shown), len(drawn), row * len(drawn) + column + 1)
            x, y = np.array(looks[look]["points"][:SHOWN]).T
            axes.scatter(x - away, y, s=1, color=LIGHT.accent, linewidths=0)
            x, y = _points.ring().centres.T
            axes.scatter(x, y, s=14, facecolors="none", edgecolors=LIGHT.muted, linewidths=0.7)
            axes.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal", xticks=[], yticks=[])
            axes.spines[:].set_color(LIGHT.rule)
            axes.set_title("" if row else name.replace("_", " "), loc="left", fontsize=8, color=LIGHT.ink)
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    with written(FIGURE) as temporary:
        temporary.write_bytes(to_png(figure))
