"""Losses of the two players, from the discriminator's logits. Each returns a scalar; logits have any equal shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def says_real(logits: Tensor, target: float | Tensor = 1.0) -> Tensor:
    """Binary cross-entropy of logits with `target`, the wished-for probability of "real": 1, or softer labels.

    For the discriminator on pictures, and with target 1 on fakes the generator's non-saturating loss
    (Goodfellow et al. 2014, section 3).
    """
    logits = logits.float()
    target = target if isinstance(target, Tensor) else torch.full_like(logits, target)
    return F.binary_cross_entropy_with_logits(logits, target)


def says_fake(logits: Tensor, target: float = 0.0) -> Tensor:
    """Binary cross-entropy of logits with `target`: 0, or a softer label."""
    return F.softplus(logits.float()).mean() - target * logits.float().mean()


def minimax(logits: Tensor) -> Tensor:
    """log(1 - D), which the generator lowers in the game of Goodfellow et al. 2014, equation (1), on its fakes."""
    return -says_fake(logits)


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Mean value of the critic on pictures less that on fakes (Arjovsky et al. 2017, equation 2): what it raises."""
    return real.float().mean() - fake.float().mean()


def hinge_real(logits: Tensor) -> Tensor:
    """max(0, 1 - D) on pictures: what is said with a margin of 1 costs nothing (Lim & Ye 2017, arXiv 1705.02894)."""
    return F.relu(1 - logits.float()).mean()


def hinge_fake(logits: Tensor) -> Tensor:
    """max(0, 1 + D) on fakes. The generator's loss that goes with both is -D, which knows no margin."""
    return F.relu(1 + logits.float()).mean()
