"""What the model cannot make is carried over: an edit changes a picture by what it changes in the model's."""

from __future__ import annotations

import torch
from torch import Tensor


def composite(x: Tensor, before: Tensor, after: Tensor, mask: Tensor | None = None) -> Tensor:
    """x + mask (after - before), float [n, C, H, W] in [-1, 1]: G(z') + (x - G(z)), written so that where the model's
    picture stays, the given one does to the last bit.

    x: the pictures given; before and after: G(z) and G(z'); mask: [1 or n, 1, H, W] in [0, 1], 1 where the picture may
    change; everywhere without.
    """
    change = after - before
    if mask is not None:
        change = torch.where(mask > 0, change * mask, 0.0)  # nothing leaks out, not even what is no number
    return torch.where(change == 0, x, x + change).clamp(-1, 1)
