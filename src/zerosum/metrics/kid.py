"""KID: how far two sets of features lie apart, without bias at any size, and how sure that is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.core.errors import Refusal
from zerosum.metrics.interval import Interval

GROUPS = 20
T_QUANTILE = 2.093  # 97.5 % of Student's t with GROUPS - 1 degrees of freedom
FEWEST, SMALLEST = 25, 50
ROWS, COLUMNS = 512, 8192  # of the kernel matrix, held at once: 32 MB


def kid(x: Tensor, y: Tensor) -> Interval:
    """KID between features x [m, d] and y [n, d]: squared MMD under k(a, b) = (a.b / d + 1)^3, as a U-statistic.

    Binkowski et al. 2018 (arXiv 1801.01401), section 4, on the whole sets: no subsets are drawn, so nothing is random.
    The expected value is 0 for sets of one distribution, so single values may lie below it. In float64.
    The interval holds for other draws of both sets from the same distributions. It is a delete-a-group jackknife over
    GROUPS groups of each set (Shao and Wu 1989); rows are taken to be in random order. Where both are of one
    distribution it errs to the safe side: it lies above 0 in under 1 % of draws.

    Raises ValueError for fewer than 25 rows (the jackknife's groups would be empty) and for features of different
    length. What a person asks for is refused below 50, by `enough`.
    """
    _check(x, y)
    return _interval(*_estimates(x, y, _sums_within(y)))


def kid_difference(x1: Tensor, x2: Tensor, y: Tensor) -> Interval:
    """KID of x1 [m, d] less that of x2 [m, d], both against y [n, d], with its 95 % interval; below 0, x1 is nearer.

    Row i of x1 and of x2 may come from the same latents: both are left out together, so what the two have in common
    (the draw of latents and of y) cancels, and the interval is narrower than the two KIDs' own. It holds for sets that
    were drawn apart as well. Raises ValueError where `kid` does, and if x1 and x2 differ in shape.
    """
    _check(x1, y)
    if x1.shape != x2.shape:
        raise ValueError(f"{list(x1.shape)} and {list(x2.shape)}: wanted two of one shape.")
    within_y = _sums_within(y)
    (value1, left1), (value2, left2) = (_estimates(x, y, within_y) for x in (x1, x2))
    return _interval(value1 - value2, left1 - left2)


def enough(n: int, what: str) -> None:
    """Raises Refusal if n pictures are too few for a score with an interval that means anything."""
    if n < SMALLEST:
        raise Refusal(
            f"{what}: {n} pictures are too few for a score; its interval would be wider than any difference worth "
            f"knowing. Wanted at least {SMALLEST} on each side, better 1,000."
        )


def _check(x: Tensor, y: Tensor) -> None:
    if x.dim() != 2 or x.shape[1:] != y.shape[1:] or min(len(x), len(y)) < FEWEST:
        raise ValueError(f"{list(x.shape)} against {list(y.shape)}: wanted [m, d] and [n, d], m and n from {FEWEST}.")


def _estimates(x: Tensor, y: Tensor, within_y: Tensor) -> tuple[Tensor, Tensor]:
    """KID, and KID without each group in turn, [GROUPS]."""
    within_x, between = _sums_within(x), _sums(x, y)
    m, n = _sizes(len(x)), _sizes(len(y))
    value = _mmd(within_x.sum(), within_y.sum(), between.sum(), m.sum(), n.sum())
    return value, _mmd(_without(within_x), _without(within_y), _without(between), m.sum() - m, n.sum() - n)


def _interval(value: Tensor, left: Tensor) -> Interval:
    """The jackknife's interval, from the estimate and from those without each group."""
    variance = (GROUPS - 1) / GROUPS * (left - left.mean()).square().sum()
    margin = T_QUANTILE * variance.sqrt()
    return Interval(value.item(), (value - margin).item(), (value + margin).item())


def _mmd(xx: Tensor, yy: Tensor, xy: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """The unbiased estimate from sums of the kernel; xx and yy without their diagonals."""
    return xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2 * xy / (m * n)


def _without(sums: Tensor) -> Tensor:
    """[GROUPS]: the sum of all blocks but those in row g or column g, from sums [GROUPS, GROUPS]."""
    return sums.sum() - sums.sum(0) - sums.sum(1) + sums.diagonal()


def _edges(n: int) -> list[int]:
    return [n * g // GROUPS for g in range(GROUPS + 1)]


def _sizes(n: int) -> Tensor:
    return torch.tensor(_edges(n), dtype=torch.float64).diff()


def _sums_within(x: Tensor) -> Tensor:
    """[GROUPS, GROUPS], float64: sums of k(x_i, x_j), i != j, over pairs of groups; half is computed, half mirrored."""
    above = _sums(x, x, above=True)
    return above + above.T


def _sums(x: Tensor, y: Tensor, above: bool = False) -> Tensor:
    """[GROUPS, GROUPS], float64: sums of k(x_i, y_j) over i in group g and j in group h; only j > i if `above`."""
    of_x, of_y = _memberships(len(x)), _memberships(len(y))
    sums = torch.zeros(GROUPS, GROUPS, dtype=torch.float64)
    for top in range(0, len(x), ROWS):
        rows = x[top : top + ROWS].double() / x.shape[1]
        for left in range(top if above else 0, len(y), COLUMNS):
            kernel = torch.addmm(rows.new_ones(1), rows, y[left : left + COLUMNS].double().T)
            kernel = (kernel * kernel).mul_(kernel)
            if above and left == top:
                kernel = kernel.triu(1)
            sums.addmm_(of_x[top : top + ROWS].T, kernel @ of_y[left : left + COLUMNS])
    return sums


def _memberships(n: int) -> Tensor:
    """float64 [n, GROUPS]: 1 where the row belongs to the group."""
    groups = torch.bucketize(torch.arange(n), torch.tensor(_edges(n)[1:]), right=True)
    return F.one_hot(groups, GROUPS).double()
