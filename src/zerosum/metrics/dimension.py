"""Intrinsic dimension: in how many independent ways a set of pictures varies, and how long a latent that asks for."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zerosum.metrics.neighbours import Space, blocks

K = 20
PICTURES = (
    2000  # looked at: more bring nothing where properties are continuous, and harm where they are parts of a list
)
FEWEST = 500  # different ones; with fewer, near neighbours are not near
MOST = 32  # above it, the nearest picture lies hardly nearer than any other, and a number would be a guess
ERROR = 1.5  # the factor by which the estimate may be wrong, and is in the bench
SHORTEST = 16  # latent that is ever advised: a longer one costs next to nothing
_CUBES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, MOST)


@dataclass(frozen=True)
class Dimension:
    """About how many independent properties there are; MOST where there are as many or more."""

    properties: float
    measured: float  # before the calibration
    pictures: int  # different ones that it rests on

    @property
    def is_open(self) -> bool:
        """Whether there are more than can be told."""
        return self.properties >= MOST


def dimension(x: Tensor, seed: int = 0) -> Dimension | None:
    """The dimension of rows x, float [n, d]: of PICTURES different ones, chosen by `seed`; None below FEWEST.

    Take `coverage.Thumbnails`: in full pictures an edge that moves by s changes the distance by the root of s, and all
    that moves would count double (Donoho and Grimes 2005); in thumbnails it changes it by s. The maximum-likelihood
    estimate falls short in high dimensions, where most points lie at the rim, so it is read off against that of as many
    points of uniform hypercubes.
    """
    x = x[torch.from_numpy(np.random.default_rng(seed).permutation(len(x))[: 2 * PICTURES])]
    _, first = np.unique(x.numpy(), axis=0, return_index=True)
    x = x[torch.from_numpy(np.sort(first)[:PICTURES])]
    if len(x) < FEWEST:
        return None
    measured = maximum_likelihood(to_neighbours(x))
    properties = float(np.interp(measured, _calibration(len(x)), _CUBES))
    return Dimension(properties, measured, len(x))


def latent(properties: float) -> int:
    """The length of latent that is ample for so many: the power of two from 2 N + 1 on, SHORTEST at the least.

    What varies in N ways lies without crossing itself in 2 N + 1 dimensions (Whitney 1936), also what comes back to
    itself, as an orientation does; and so much leaves room for the error of N.
    """
    return max(SHORTEST, 1 << math.ceil(math.log2(2 * properties + 1)))


def maximum_likelihood(distances: Tensor) -> float:
    """The estimate of Levina and Bickel (2004, equation 8) from each point's distances to its k nearest others, [n, k],
    rising, above 0. Its inverses are averaged over the points, as MacKay and Ghahramani (2005) correct it."""
    logs = distances.log()
    return 1 / (logs[:, -1:] - logs[:, :-1]).mean().item()


def to_neighbours(x: Tensor, k: int = K) -> Tensor:
    """Each row's distances to its k nearest others, float64 [n, k], rising; the rows x [n, d] are all different."""
    space = Space(x)
    (x,) = space.sets
    squared = torch.cat([d.topk(k + 1, largest=False).values for _, d in blocks(x, x)])
    return squared[:, 1:].clamp(min=max(space.slack, 1e-300)).sqrt()  # the nearest is the row itself


@functools.cache
def _calibration(num: int) -> list[float]:
    """What the estimate comes to on `num` points of the unit cubes of `_CUBES`, float [13], rising."""
    rng = np.random.default_rng(0)
    cubes = (torch.from_numpy(rng.random((num, size))) for size in _CUBES)
    found = [maximum_likelihood(to_neighbours(cube)) for cube in cubes]
    return np.maximum.accumulate(found).tolist()
