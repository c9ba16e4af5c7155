"""A value with its interval: what scores that know how sure they are come to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval [low, high]."""

    value: float
    low: float
    high: float
