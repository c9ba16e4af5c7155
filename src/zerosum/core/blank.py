"""Networks without memory, to see what a config asks for before there is room for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextlib.contextmanager
def without_memory() -> Iterator[None]:
    """What is built in here stands on torch's device "meta": it has shapes and holds no numbers."""
    with torch.device("meta"), _Unfilled():
        yield


class _Unfilled(TorchFunctionMode):
    """Computes nothing of first weights: they hold no numbers, and torch would import its compiler, seconds
    of work, to draw them normally, or to divide them by their spectral norm. What stands in has the right shape."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        match getattr(func, "__name__", ""):
            case "normal_":  # a tensor's method, or the function of torch.nn.init
                return args[0] if args else kwargs["tensor"]
            case "normalize":
                return args[0]
            case "mv" | "vdot":
                return args[0].new_empty(args[0].shape[:-1])
            case "div" if isinstance(args[1], Tensor) and not args[1].dim():
                return args[0]
        return func(*args, **kwargs)
