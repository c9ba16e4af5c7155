"""What a run's steps cost, and how large they are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from zerosum.core.game import Player


class Effort:
    """What the steps cost and how large they are: numbers for the findings, which take them now and then."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._began, self._used, self._waited = time.perf_counter(), time.process_time(), 0.0
        self._steps: dict[str, list[tuple[float, float]]] = {}

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the reading of a batch."""
        begin = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begin

    @contextlib.contextmanager
    def watching(self, name: str, player: Player, watched: bool) -> Iterator[None]:
        """Around a player's step: the norm of its gradient, and of its step as a share of its weights'."""
        before = [p.detach().clone() for p in player.parameters()] if watched else []
        yield
        if watched:
            gradient = norm(p.grad for p in player.parameters())
            step = norm(torch._foreach_sub(before, [p.detach() for p in player.parameters()]))
            self._steps.setdefault(name, []).append((gradient, step / max(norm(before), 1e-12)))

    def take(self) -> dict[str, float]:
        """`grad.X` and `step.X` of each player X, medians; `waiting`, the share of time spent on reading data; `cores`,
        how many of them this process has kept busy. Since they were last taken."""
        now, used = time.perf_counter(), time.process_time()
        seconds = max(now - self._began, 1e-9)
        found = {"waiting": self._waited / seconds, "cores": (used - self._used) / seconds}
        for name, steps in self._steps.items():
            gradients, ratios = np.median(np.array(steps), axis=0).tolist()
            found |= {f"grad.{name}": gradients, f"step.{name}": ratios}
        self._begin()
        return found


def norm(tensors: Iterable[Tensor | None]) -> float:
    """The Euclidean norm of all the numbers together; NaN or infinite if one of them is."""
    found = [tensor.detach() for tensor in tensors if tensor is not None]
    return torch.stack([n.double().cpu() for n in torch._foreach_norm(found)]).norm().item() if found else 0.0
