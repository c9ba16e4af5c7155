"""Penalties on the discriminator's gradient. All are computed in float32, whatever the autocast around them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_square(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The mean of |grad D(x)|^2 over the pictures x [B, C, H, W]: R1 on reals, R2 on fakes, without gamma / 2.

    Mescheder et al. 2018 (arXiv 1801.04406), equation (9).
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        return gradient.square().sum(dim=(1, 2, 3)).mean()
