"""Optimizers without torch's compiler: importing it takes longer than the first hundred steps.

torch loads it wherever an optimizer is made or steps, to keep itself from compiling what is in there. Nothing is
compiled here. Where a version of torch is built otherwise, its own way is taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch
from torch.optim import Optimizer

from zerosum.core.game import Params


def make(factory: Callable[[Params], Optimizer], parameters: Params) -> Optimizer:
    """`factory(parameters)`; what it makes can be read and restored without the compiler too."""
    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        plain = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if plain is not None and not hasattr(plain, "__dynamo_disable"):
            plain.__dynamo_disable = plain  # what torch looks for, and would make with the compiler's help
    return factory(parameters)


def step(optimizer: Optimizer) -> None:
    """`optimizer.step()`, for one without hooks."""
    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)
