"""Precision, recall, density and coverage: are the made pictures like real ones, and are real ones like them?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.metrics.coverage import K, check_equal
from zerosum.metrics.neighbours import Space, blocks, radii


@dataclass(frozen=True)
class Prdc:
    """Shares in [0, 1], but density, which may exceed 1 where made pictures crowd among the real ones."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(fake: Tensor, real: Tensor, k: int = K) -> Prdc:
    """All four between features fake and real, [n, d], in float64; a ball reaches to the k-th nearest row of its set.

    Precision: the share of fake rows in some real row's ball; recall: the share of real rows in some fake row's ball
    (Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1 and 2). Density: the mean number of real balls around a
    fake row, over k; coverage: the share of real rows with a fake row in their ball (Naeem et al. 2020, arXiv
    2002.09797, equations 3 and 9). Raises ValueError unless both sets are of one shape with n > k.
    """
    check_equal(fake, real, k)
    space = Space(real, fake)
    real, fake = space.sets
    real_edges, fake_edges = radii(real, k) + space.slack, radii(fake, k) + space.slack
    in_some = torch.zeros(len(fake), dtype=torch.bool)
    recalled = covered = held = 0
    for rows, distances in blocks(real, fake):
        inside = distances <= real_edges[rows, None]
        in_some |= inside.any(0)
        held += int(inside.sum())
        covered += int(inside.any(1).sum())
        recalled += int((distances <= fake_edges).any(1).sum())
    n = len(real)
    return Prdc(in_some.double().mean().item(), recalled / n, held / (k * n), covered / n)


def halves(real: Tensor, n: int, k: int = K) -> Prdc:
    """What one half of the real rows [2 n or more, d] reaches against the other: the mark of perfect pictures.

    Taken at n rows a side, as all four depend on it.
    """
    return prdc(real[n : 2 * n], real[:n], k)
