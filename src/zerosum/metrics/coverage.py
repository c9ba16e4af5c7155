"""Coverage: the share of the real pictures that have a made one among their near neighbours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.features.rgb import to_rgb
from zerosum.metrics.neighbours import Space, blocks, radii

K = 5


class Thumbnails:
    """Pictures reduced to 8 x 8 pixels: the space in which coverage is counted.

    Why not EfficientNet's features: a generator that a network trained on ImageNet has helped to train can collapse
    where all such networks look away; these eyes know nothing but where which colour lies. They see the layout, which
    a random convolution's means cannot; and with 192 numbers, near neighbours still mean something.
    """

    name = "thumbnails"
    side = 8
    dim = 3 * side**2
    key = "thumbnails 8 area"

    def features(self, x: Tensor) -> Tensor:
        """float32 [n, 192] on the CPU, of pictures x, float [n, 1 to 4 channels, H, W] in [-1, 1]."""
        return F.adaptive_avg_pool2d(to_rgb(x), self.side).flatten(1).float().cpu()


def coverage(fake: Tensor, real: Tensor, k: int = K) -> float:
    """The share of real rows, features [n, d], whose ball, out to their k-th nearest other real row, holds a fake row.

    Naeem et al. 2020 (arXiv 2002.09797), equation 9; Euclidean distances in float64, the edge of the ball counts.
    Raises ValueError unless both sets are of one shape and n > k: coverage rises with the number of fakes, so unequal
    sets cannot be compared.
    """
    return covered(fake, real, k).double().mean().item()


def covered(fake: Tensor, real: Tensor, k: int = K) -> Tensor:
    """bool [n]: which real rows are. Raises ValueError where `coverage` does."""
    check_equal(fake, real, k)
    space = Space(real, fake)
    real, fake = space.sets
    edges = radii(real, k) + space.slack
    return torch.cat([d.amin(1) <= edges[rows] for rows, d in blocks(real, fake)])


def ceiling(n: int, k: int = K) -> float:
    """The coverage expected of n real pictures by n others of the same distribution, whatever that is.

    Naeem et al. 2020, lemma 2 with N = M = n: 1 - prod_j (n - j) / (2n - j), about 1 - 2^-k.
    """
    missed = 1.0
    for j in range(1, k + 1):
        missed *= (n - j) / (2 * n - j)
    return 1 - missed


def check_equal(fake: Tensor, real: Tensor, k: int) -> None:
    """Raises ValueError unless both are features of one shape [n, d], n above k."""
    if fake.shape != real.shape or real.dim() != 2 or len(real) <= k:
        raise ValueError(f"{list(fake.shape)} against {list(real.shape)}: wanted equal [n, d] with n above {k}.")
