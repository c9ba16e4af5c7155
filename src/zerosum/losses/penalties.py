"""Penalties on gradients, the discriminator's and the generator's: in float32, whatever the autocast around them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_square(D: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The mean of |grad D(x)|^2 over the examples x [B, ...]: R1 on reals, R2 on fakes, without gamma / 2.

    Mescheder et al. 2018 (arXiv 1801.04406), equation (9).
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.detach().float().requires_grad_(True)
        (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        return gradient.square().flatten(1).sum(1).mean()


def gradient_penalty(D: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """The mean of (|grad D(x)| - 1)^2 at points x between `real` and `fake`, [B, ...] both: without lambda.

    Each x is eps real + (1 - eps) fake, eps ~ U(0, 1) one for the pair. Gulrajani et al. 2017 (arXiv 1704.00028),
    equation (3) and algorithm 1.
    """
    with torch.autocast(real.device.type, enabled=False):
        real, fake = real.detach().float(), fake.detach().float()
        eps = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device)
        x = (eps * real + (1 - eps) * fake).requires_grad_(True)
        (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def path_lengths(G: Callable[[Tensor], Tensor], w: Tensor) -> Tensor:
    """|J_w^T y|, float32 [n], for styles w [n, layers, z]: how far a step in w moves the picture, y ~ N(0, I).

    The root mean square over the layers. Its gradient reaches G, and what w came from. Karras et al. 2020 (arXiv
    1912.04958), equation (4).
    """
    with torch.autocast(w.device.type, enabled=False):
        w = w.float() if w.requires_grad else w.float().requires_grad_(True)
        x = G(w)
        (J_y,) = torch.autograd.grad((x * torch.randn_like(x)).sum(), w, create_graph=True)
        return J_y.square().sum(2).mean(1).sqrt()
