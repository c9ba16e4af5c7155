"""Row msggan: at 128 pixels, its scores beside dcgan's after equal minutes."""

from __future__ import annotations

from collections.abc import Sequence

from zerosum.bench._frame import Budget, Measure
from zerosum.bench.progan import after_equal_minutes

DETERMINISTIC = False  # the minutes are measured


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains msggan and dcgan on avatars at 128 pixels, for equal minutes."""
    return after_equal_minutes("msggan", budget, seeds)
