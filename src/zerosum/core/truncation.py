"""Truncation: normal latents drawn nearer to their middle, for pictures that are more typical and less various."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from zerosum.core.errors import Refusal

WIDEST = 12.0  # a threshold past which float64 knows no normal number


def check_truncation(psi: float) -> None:
    """Raises Refusal unless psi lies in (0, 1]."""
    if not (isinstance(psi, int | float) and 0 < psi <= 1):
        raise Refusal(f"truncation={psi}: wanted above 0 and at most 1, which leaves pictures as they are; try 0.7.")


def truncated_normal(z: Tensor, psi: float) -> Tensor:
    """Standard normal numbers z of any shape, mapped onto the normal distribution cut off at such a threshold that its
    standard deviation is psi, in (0, 1]; 1: as they are.

    Brock et al. 2019 (arXiv 1809.11096, section 3.1) draw again what lies beyond the threshold. Here each number keeps
    its rank instead: so the same z gives related pictures at each psi. Computed in float64, and on the side below the
    middle, where small ranks keep their digits.
    """
    if psi == 1:
        return z
    tail = torch.special.ndtr(torch.tensor(-threshold(psi), dtype=torch.float64, device=z.device))
    rank = tail + (1 - 2 * tail) * torch.special.ndtr(-z.double().abs())
    return (-z.sign() * torch.special.ndtri(rank)).to(z.dtype)


@functools.cache
def threshold(psi: float) -> float:
    """The t at which normal numbers within [-t, t] have standard deviation psi, in (0, 1); by bisection."""
    low, high = 0.0, WIDEST
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if spread(middle) < psi else (low, middle)
    return high


def spread(t: float) -> float:
    """Standard deviation of normal numbers within [-t, t]: its square is 1 - 2 t phi(t) / (2 Phi(t) - 1)."""
    density, inside = math.exp(-t * t / 2) / math.sqrt(2 * math.pi), math.erf(t / math.sqrt(2))
    return math.sqrt(max(0.0, 1 - 2 * t * density / inside))
