"""What a run has shown of its health, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from zerosum.core.run import Run

Severity = Literal["fault", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something worth saying of a run. A fault spoils the result, a warning may; a note accuses nobody."""

    kind: str  # one of rules.RULES, such as "mode_collapse"
    severity: Severity
    since: int  # images drawn when it began
    says: str  # one sentence with the numbers
    why: str  # why that matters, or how it comes about
    remedy: str  # what to do; a command to paste where there is one
    evidence: dict[str, list[float | None]] = field(default_factory=dict)  # a curve by its name, against `images`


@dataclass(frozen=True)
class Record:
    """All that the rules read, in plain values, so that a recorded run can be judged again at any time.

    `info`: run.json. `data`: `Vitals.data`. `looks`: vitals.jsonl, each `Vitals.measure` with "images", what the steps
    cost, "skipped" and "slower". `metrics`: metrics.jsonl.
    """

    info: dict[str, Any]
    data: dict[str, Any]
    looks: Sequence[dict[str, Any]]
    metrics: Sequence[dict[str, Any]]

    @classmethod
    def of(cls, run: Run) -> Record:
        """The record of a run's folder. Raises Refusal if its run.json cannot be read."""
        lines = run.lines("vitals.jsonl")
        data: dict[str, Any] = next((line["data"] for line in lines if "data" in line), {})
        return cls(run.info, data, [line for line in lines if "data" not in line], run.metrics())

    def before(self) -> Record:
        """As it stood at the look before the last."""
        looks = self.looks[:-1]
        known = looks[-1]["images"] if looks else -1
        return replace(self, looks=looks, metrics=[line for line in self.metrics if line["images"] <= known])

    @property
    def images(self) -> int:
        """Pictures drawn by the last look."""
        return self.looks[-1]["images"] if self.looks else 0

    def series(self, name: str) -> np.ndarray:
        """A number of each look, float64 [looks]; NaN where it was not measured."""
        return np.array([look.get(name, np.nan) for look in self.looks], np.float64)

    def recent(self, name: str, share: float = 0.25) -> float:
        """The median over the last quarter of the looks, of three at least; NaN where it was never measured."""
        values = self.series(name)
        values = values[-max(3, round(share * len(values))) :]
        return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")

    def since(self, name: str, holds: Callable[[float], bool]) -> int:
        """Images drawn when a number's present state began: the first look of the unbroken row, up to the last, in
        which it holds."""
        began = self.images
        for look, value in zip(reversed(self.looks), reversed(self.series(name)), strict=True):
            if not np.isfinite(value) or not holds(value):
                break
            began = look["images"]
        return began

    def curve(self, *names: str) -> dict[str, list[float | None]]:
        """The evidence of these numbers: each look's, with its "images"."""
        kept = {name: [_plain(float(value)) for value in self.series(name)] for name in names}
        return {"images": [float(look["images"]) for look in self.looks], **kept}


def _plain(value: float) -> float | None:
    """As JSON can hold it: None for what is not finite."""
    return round(value, 6) if math.isfinite(value) else None
