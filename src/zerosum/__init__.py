"""Zerosum: train generative networks on your own pictures, hear honestly how good they are, put them to work."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from zerosum.api import train
    from zerosum.core.errors import Interrupted, Refusal
    from zerosum.core.generator import load
    from zerosum.core.plan import Plan
    from zerosum.core.run import Run
    from zerosum.data.avatars import avatars
    from zerosum.data.folder import folder
    from zerosum.data.fruit import fruit
    from zerosum.data.unpaired import unpaired

_HOMES = {
    "Interrupted": "core.errors",
    "Plan": "core.plan",
    "Refusal": "core.errors",
    "Run": "core.run",
    "avatars": "data.avatars",
    "folder": "data.folder",
    "fruit": "data.fruit",
    "load": "core.generator",
    "train": "api",
    "unpaired": "data.unpaired",
}
__all__ = [
    "Interrupted",
    "Plan",
    "Refusal",
    "Run",
    "__version__",
    "avatars",
    "folder",
    "fruit",
    "load",
    "train",
    "unpaired",
]


def __getattr__(name: str) -> Any:
    """Imports a name's home when it is first used, so that `import zerosum` does not import torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'zerosum' has no attribute '{name}'")
    return getattr(importlib.import_module(f"zerosum.{_HOMES[name]}"), name)
