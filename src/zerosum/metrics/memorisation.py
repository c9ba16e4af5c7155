"""Memorisation: are made pictures copies of training pictures, and how many different ones are there?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.metrics.neighbours import Space, blocks, nearest

SURE = 0.001  # p below which nearness is no chance
CLOSE = 0.01  # share of held-out pictures that are called close to training pictures
ALLOWED = 10  # pairs of held-out pictures that are called duplicates
MANY = 5  # times as many duplicates as among real pictures are too many


@dataclass(frozen=True)
class Relatives:
    """Each picture's nearest training picture: distances, float64 [n]; its number, int64 [n]; whether one of the two
    is to be mirrored for it, bool [n]."""

    distances: Tensor
    numbers: Tensor
    mirrored: Tensor


def relatives(seen: Tensor, mirrored: Tensor, train: Tensor) -> Relatives:
    """The nearest rows of train [N, d] to pictures seen as they are and mirrored, both [n, d]."""
    plain, other = nearest(seen, train), nearest(mirrored, train)
    turned = other[0] < plain[0]
    return Relatives(torch.minimum(plain[0], other[0]), torch.where(turned, other[1], plain[1]), turned)


@dataclass(frozen=True)
class Nearness:
    """How near made pictures lie to training pictures, beside held-out ones.

    effect: the chance that a made picture lies nearer to its nearest training picture than a held-out one does to its
    own; 0.5 if both are alike, 1 for copies. close: the share of made pictures that lie nearer than all but a hundredth
    of the held-out ones. p and p_close: the chances of as much or more if both are alike.
    """

    effect: float
    p: float
    close: float
    p_close: float

    @property
    def is_suspicious(self) -> bool:
        """Whether the made pictures are too near: on the whole, or a few of them much too near."""
        return min(self.p, self.p_close) < SURE / 2


def nearness(made: Tensor, heldout: Tensor) -> Nearness:
    """From distances to the nearest training picture, [m] and [h]. Both tests are one-sided.

    For all: that of Mann and Whitney (1947), as Meehan et al. 2020 (arXiv 2004.05675) put it to finding copies. For the
    few: where k made ones come before the r-th held-out one, k or more of the first k + r - 1 of all are made; if both
    are alike, that is a draw from an urn.
    """
    from scipy.stats import hypergeom, mannwhitneyu

    m, h = len(made), len(heldout)
    u, p = mannwhitneyu(made.numpy(), heldout.numpy(), alternative="less")
    r = math.ceil(CLOSE * h)
    k = int((made < heldout.kthvalue(r).values).sum())
    return Nearness(1 - float(u) / (m * h), float(p), k / m, float(hypergeom.sf(k - 1, m + h, m, k + r - 1)))


@dataclass(frozen=True)
class Duplicates:
    """Pairs of made pictures nearer to each other than real ones mostly come.

    pairs: how many there are; expected: how many as many real pictures have; support: as if there were only so many
    different pictures, None where there are not too many duplicates to speak of.
    """

    pairs: int
    expected: float
    support: int | None


def duplicates(made: Tensor, heldout: Tensor) -> Duplicates:
    """The birthday paradox: of m draws from N equally likely pictures, m (m - 1) / 2N pairs are alike (Arora and Zhang
    2017, arXiv 1706.08224). Features made [m, d] and heldout [h, d], h from 6.

    What counts as alike is calibrated on held-out pictures: the distance that ALLOWED of their pairs come below.
    """
    space = Space(heldout, made)
    heldout, made = space.sets
    edge = _smallest(heldout, ALLOWED) + space.slack
    pairs = sum(int((d <= edge).sum()) for d in _apart(made))
    possible, calibrated = _num_pairs(len(made)), _num_pairs(len(heldout))
    expected = ALLOWED * possible / calibrated
    too_many = pairs > MANY * max(1.0, expected)
    return Duplicates(pairs, expected, round(possible / pairs) if too_many else None)


def _apart(x: Tensor) -> Iterator[Tensor]:
    """Squared distances of all pairs of rows, each once, in flat parts."""
    for rows, distances in blocks(x, x):
        others = torch.arange(len(x)) > torch.arange(rows.start, rows.stop)[:, None]
        yield distances[others]


def _smallest(x: Tensor, num: int) -> float:
    """The num-th smallest squared distance between two rows."""
    least = torch.empty(0, dtype=x.dtype)
    for distances in _apart(x):
        least = torch.cat([least, distances]).sort().values[:num]
    return least[-1].item()


def _num_pairs(n: int) -> int:
    return n * (n - 1) // 2
