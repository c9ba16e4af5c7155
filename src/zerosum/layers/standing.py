"""Statistics of batch norm for use: of the weights as they are, and of no one batch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def take_standing_statistics(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces the running statistics of all batch norms by their means over what the net makes of `batches`.

    Standing statistics (Brock et al. 2019, arXiv 1809.11096, appendix C.1). Those that training leaves behind are of
    weights that have moved on, or, beside averaged weights, of none that there ever were.
    """
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    was_training, momenta = net.training, [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all that come
    net.train()
    with torch.no_grad():
        for batch in batches:
            net(batch)
    net.train(was_training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
