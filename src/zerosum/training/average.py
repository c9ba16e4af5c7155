"""The running average of a generator's weights."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from zerosum.core.generator import Generator
from zerosum.core.machine import Machine


def gamma_of_width(width: float) -> float:
    """The power gamma whose profile tau^gamma has the relative width `width`, in (0, 0.25] (solved by bisection).

    Karras et al. 2024 (arXiv 2312.02696), section 3.1: width = sqrt((gamma + 1) / ((gamma + 2)^2 (gamma + 3))).
    """
    low, high = 0.0, 1e6
    for _ in range(100):
        middle = (low + high) / 2
        wide = math.sqrt((middle + 1) / ((middle + 2) ** 2 * (middle + 3))) > width
        low, high = (middle, high) if wide else (low, middle)
    return low


class Average:
    """A copy of a generator that follows the live one with a power-function profile (Karras et al. 2024).

    The average always spans the same fraction of the run so far, so that it needs no warm-up and no half-life.
    Parameters and running statistics are averaged; other buffers are copied. The judge is copied when it is
    `caught_up`. Width 0 keeps no average: the copy is the live generator.
    """

    def __init__(self, live: Generator, width: float):
        self.live = live
        self.copy = copy.deepcopy(live).eval().requires_grad_(False)
        self.power = gamma_of_width(width) + 1 if width else None
        mine, theirs = _averaged(self.copy), _averaged(live)
        self._mine, self._theirs = list(mine.values()), list(theirs.values())
        copied = [name for name in live.state_dict() if name not in mine and not name.startswith("judge.")]
        self._copied = [(self.copy.state_dict()[name], live.state_dict()[name]) for name in copied]

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Follows the live generator after its `steps`-th step, counted from 1: equation (2)."""
        keep = (1 - 1 / steps) ** self.power if self.power else 0.0
        torch._foreach_lerp_(self._mine, self._theirs, 1 - keep)
        for mine, theirs in self._copied:
            mine.copy_(theirs)

    @torch.no_grad()
    def caught_up(self) -> Generator:
        """The averaged generator, beside the judge as it now is."""
        if self.live.judge is not None and self.copy.judge is not None:
            self.copy.judge.load_state_dict(self.live.judge.state_dict())
        return self.copy


def settled(generator: Generator, machine: Machine) -> Generator:
    """The generator as it is to be used, put in order by the machine's arithmetic."""
    with machine.autocast():
        return generator.settled()


def _averaged(generator: Generator) -> dict[str, torch.Tensor]:
    """The parameters and running statistics outside the judge, by name."""
    found = {name: p.data for name, p in generator.named_parameters()}
    for name, module in generator.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            found |= {f"{name}.{key}": value for key, value in module.named_buffers() if value.is_floating_point()}
    return {name: tensor for name, tensor in found.items() if not name.startswith("judge.")}
