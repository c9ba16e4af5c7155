"""First weights."""

from __future__ import annotations

from torch import nn


def steady_weights(module: nn.Module) -> None:
    """Normal weights that keep the variance through leaky ReLUs (He et al. 2015), for what has no norms; zero biases.

    For `Module.apply`; touches dense layers and convolutions alone.
    """
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, 0.2)
        nn.init.zeros_(module.get_parameter("bias"))
