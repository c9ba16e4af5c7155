"""Which of two sets of made pictures is nearer to the real ones, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

from torch import Tensor

from zerosum.metrics.coverage import covered
from zerosum.metrics.gallery import Gallery
from zerosum.metrics.interval import Interval
from zerosum.metrics.kid import kid_difference
from zerosum.metrics.names import CALLED
from zerosum.metrics.panel import Panel

Z_QUANTILE = 1.96


def versus(panel: Panel, one: Gallery, other: Gallery, names: tuple[str, str] = ("the first", "the second")) -> dict:
    """{"kid", "kid_random", "coverage": {"value", "low", "high"}, "text"}: the first set's score less the second's; the
    text calls them by `names`.

    Where picture i of both comes from the same latents, that is made use of. Raises ValueError for sets of different
    size.
    """
    found = {
        name: kid_difference(one.seen(eyes), other.seen(eyes), panel.real.seen(eyes))
        for name, eyes in panel.judges.items()
    }
    thumbnails = [gallery.seen(panel.thumbnails)[: panel.n] for gallery in (one, other, panel.real)]
    spread = coverage_difference(thumbnails[0], thumbnails[1], thumbnails[2][: len(thumbnails[0])])
    differences = {**found, "coverage": spread}
    return {
        **{name: asdict(difference) for name, difference in differences.items()},
        "text": _said(differences, *names),
    }


def coverage_difference(fake1: Tensor, fake2: Tensor, real: Tensor) -> Interval:
    """Coverage of real by fake1 less that by fake2, all [n, d], and its 95 % interval.

    Each real row is covered by one, the other, both or neither, which gives such paired shares a standard error; rows
    that lie side by side are covered together, and what that adds differs from data to data. So the margin is doubled:
    it then errs to the safe side (from Gaussians in 3 to 12 dimensions, undoubled it held in 73 to 94 % of draws).
    """
    difference = covered(fake1, real).double() - covered(fake2, real).double()
    mean = difference.mean().item()
    margin = 2 * Z_QUANTILE * difference.std().item() / math.sqrt(len(real))
    return Interval(mean, mean - margin, mean + margin)


def _said(differences: Mapping[str, Interval], one: str, other: str) -> str:
    """The verdict: better only where one says so and none contradicts."""
    for_first = [name for name, d in differences.items() if (d.low > 0 if name == "coverage" else d.high < 0)]
    for_second = [name for name, d in differences.items() if (d.high < 0 if name == "coverage" else d.low > 0)]
    if for_first and for_second:
        return f"Undecided: {one} is better by {_listed(for_first)}, {other} by {_listed(for_second)}."
    if for_first or for_second:
        silent = [name for name in differences if name not in for_first + for_second]
        rest = f"; by {_listed(silent)} they cannot be told apart" if silent else ""
        return f"{one if for_first else other} is better by {_listed(for_first or for_second)}{rest}."
    return "They cannot be told apart with so many pictures."


def _listed(names: list[str]) -> str:
    return " and ".join(CALLED.get(name, name) for name in names)
