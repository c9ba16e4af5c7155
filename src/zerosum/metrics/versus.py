"""Which of two sets of made pictures is nearer to the real ones, and whether that is more than chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

from torch import Tensor

from zerosum.core.errors import Refusal
from zerosum.metrics.coverage import covered
from zerosum.metrics.gallery import Gallery
from zerosum.metrics.kid import Kid, kid_difference
from zerosum.metrics.panel import CALLED, Panel

Z_QUANTILE = 1.96


def versus(panel: Panel, one: Gallery, other: Gallery) -> dict:
    """{"kid", "kid_random", "coverage": {"value", "low", "high"}, "text"}: the first set's score less the second's.

    Where picture i of both comes from the same latents, that is made use of. Raises Refusal for sets of different
    size.
    """
    sizes = [len(gallery.seen(panel.thumbnails)) for gallery in (one, other)]
    if sizes[0] != sizes[1]:
        raise Refusal(f"{sizes[0]} pictures against {sizes[1]}: wanted equally many. Lower --n to {min(sizes)}.")
    found = {
        name: kid_difference(one.seen(eyes), other.seen(eyes), panel.real.seen(eyes))
        for name, eyes in panel.judges.items()
    }
    num = min(sizes[0], panel.n)
    real = panel.real.seen(panel.thumbnails)[:num]
    seen = [gallery.seen(panel.thumbnails)[:num] for gallery in (one, other)]
    spread = coverage_difference(seen[0], seen[1], real)
    differences = {**found, "coverage": spread}
    return {**{name: asdict(kid) for name, kid in differences.items()}, "text": _said(differences)}


def coverage_difference(fake1: Tensor, fake2: Tensor, real: Tensor) -> Kid:
    """Coverage of real by fake1 less that by fake2, all [n, d], and its 95 % interval.

    Each real row is covered by one, the other, both or neither; the interval is that of the difference of such paired
    shares.
    """
    difference = covered(fake1, real).double() - covered(fake2, real).double()
    mean = difference.mean().item()
    margin = Z_QUANTILE * difference.std().item() / math.sqrt(len(real))
    return Kid(mean, mean - margin, mean + margin)


def _said(differences: Mapping[str, Kid]) -> str:
    """The verdict: better only where one says so and none contradicts."""
    for_first = [name for name, d in differences.items() if (d.low > 0 if name == "coverage" else d.high < 0)]
    for_second = [name for name, d in differences.items() if (d.high < 0 if name == "coverage" else d.low > 0)]
    if for_first and for_second:
        return f"Undecided: better by {_listed(for_first)}, worse by {_listed(for_second)}."
    if for_first or for_second:
        silent = [name for name in differences if name not in for_first + for_second]
        rest = f"; by {_listed(silent)} they cannot be told apart" if silent else ""
        return f"{'Better' if for_first else 'Worse'} by {_listed(for_first or for_second)}{rest}."
    return "They cannot be told apart with so many pictures."


def _listed(names: list[str]) -> str:
    return " and ".join(CALLED.get(name, name) for name in names)
