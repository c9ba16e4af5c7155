"""What lets a discriminator see many examples at once, so that it notices when all fakes look alike.

Each goes by the batch at hand: real and made pictures must pass apart.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Deviation(nn.Module):
    """Features [n, F, ...] to [n, F + 1, ...]: their standard deviation over the batch, averaged, is added everywhere.

    Karras et al. 2018 (arXiv 1710.10196), section 3; on flat features as well as on maps.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Computed in float32: in bfloat16 the deviation of features that are nearly alike would be lost."""
        with torch.autocast(x.device.type, enabled=False):
            # The small number keeps the root's gradient finite where all are the same.
            deviation = (x.float().var(0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([x, deviation.to(x.dtype).expand(len(x), 1, *x.shape[2:])], 1)


class Discrimination(nn.Module):
    """Features [n, F] to [n, F + B]: how near each example is to the others of the batch, in B learnt senses.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.2: o(x_i)_b = sum over j of exp(-|M_ib - M_jb|), with
    M_i = T f(x_i) in B rows of C numbers and the L1 norm; the example itself, which adds 1 to each, is left out.
    """

    def __init__(self, features: int, kernels: int, dims: int = 5):
        super().__init__()
        self.kernels, self.dims = kernels, dims
        # Distances of about 1 at the start, where exp(-distance) has its slope: features vary by about 1.
        self.T = nn.Parameter(torch.randn(features, kernels * dims) / (features**0.5 * dims))

    def forward(self, x: Tensor) -> Tensor:
        """Computed in float32: the distances are differences of large numbers."""
        with torch.autocast(x.device.type, enabled=False):
            M = (x.float() @ self.T).unflatten(1, (self.kernels, self.dims))
            distance = (M[:, None] - M[None]).abs().sum(3)  # [n, n, B]
            near = torch.exp(-distance).sum(1) - 1
        return torch.cat([x, near.to(x.dtype)], 1)


class Packed(nn.Module):
    """A discriminator that judges m examples at once: D sees their channels, or columns, side by side.

    Lin et al. 2018 (arXiv 1712.04086), section 2.1. Pack i holds examples i, i + 1, ..., i + m - 1 of the batch, round
    about, where the paper draws m times as many: so there are as many logits as examples, and each stands in m packs.
    """

    def __init__(self, D: nn.Module, m: int):
        super().__init__()
        self.D, self.m = D, m

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, 1] of examples [n, c, ...]."""
        return self.D(torch.cat([x.roll(-i, 0) for i in range(self.m)], 1))
