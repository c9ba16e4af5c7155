"""Nearest neighbours among rows of features, exactly, in blocks that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

ROWS = 512  # of the matrix of distances, held at once


class Space:
    """Rows of features as float64, moved to a common centre, so that distances lose little to cancellation.

    `slack` is what they may still lose, as a squared distance: equal rows must not be told apart.
    """

    def __init__(self, *sets: Tensor):
        centre = sets[0].double().mean(0)
        self.sets = [rows.double() - centre for rows in sets]
        self.slack = 1e-12 * sum(rows.square().sum(1).max().item() for rows in self.sets)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """[m, n] from a [m, d] and b [n, d]; by rounding, they may lie a little below 0."""
    return torch.addmm(b.square().sum(1), a, b.T, alpha=-2) + a.square().sum(1, keepdim=True)


def blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances of a few rows of a [m, d] at a time to all of b [n, d]: which rows, and [rows, n]."""
    for start in range(0, len(a), ROWS):
        rows = slice(start, min(start + ROWS, len(a)))
        yield rows, squared_distances(a[rows], b)


def radii(x: Tensor, k: int) -> Tensor:
    """[n]: each row's squared distance to its k-th nearest other row, of x [n, d]."""
    # k + 1, as the nearest is the row itself
    return torch.cat([d.topk(k + 1, largest=False).values.amax(1) for _, d in blocks(x, x)])


def nearest(query: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Distances [m], float64, and numbers [m] of the rows of known [n, d] that lie nearest to those of query [m, d]."""
    space = Space(known, query)
    known, query = space.sets
    found = [d.min(1) for _, d in blocks(query, known)]
    squared, which = (torch.cat(parts) for parts in zip(*found, strict=True))
    return torch.where(squared <= space.slack, 0.0, squared).sqrt(), which
