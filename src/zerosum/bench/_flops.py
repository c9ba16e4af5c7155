"""How many floating-point operations a computation takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Counter(TorchDispatchMode):
    """Torch's own formulas, of each product and convolution that passes. Torch's FlopCounterMode follows modules too,
    and cannot where a gradient is taken of a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        self.total += formula(*args, **kwargs, out_val=out) if formula else 0
        return out


def flops(step: Callable[[], object], times: int = 1) -> int:
    """Floating-point operations of the products and convolutions of so many steps."""
    with _Counter() as counter:
        for _ in range(times):
            step()
    return counter.total
