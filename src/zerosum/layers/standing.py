"""Statistics of batch norm for use: of the weights as they are, and of no one batch."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def take_standing_statistics(net: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces the running statistics of all batch norms by their means over what the net makes of `batches`.

    Standing statistics (Brock et al. 2019, arXiv 1809.11096, appendix C.1). Those that training leaves behind are of
    weights that have moved on, or, beside averaged weights, of none that there ever were.
    """
    norms = [layer for layer in net.modules() if isinstance(layer, _BatchNorm)]
    before = [(norm.momentum, norm.training) for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean of all that come
        norm.train()
    with torch.no_grad():
        for batch in batches:
            net(batch)
    for norm, (momentum, training) in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.train(training)
