"""What a run's steps cost, and how large they are."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from zerosum.core.game import Player, Turn


class Effort:
    """What the steps cost and how large they are: numbers for the findings, which take them now and then.

    Nothing is measured unless `is_watched`.
    """

    def __init__(self) -> None:
        self.is_watched = False
        self._begin()

    def _begin(self) -> None:
        self._began, self._waited = time.perf_counter(), 0.0
        self._due: dict[str, int] = {}
        self._steps: dict[str, list[float]] = {}
        self._largest: dict[str, float] = {}

    def moved(self, turn: Turn) -> None:
        """A turn was played, and not passed."""
        for name in turn.names() if self.is_watched else ():
            self._due[name] = self._due.get(name, 0) + 1

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the reading of a batch."""
        begin = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begin

    @contextlib.contextmanager
    def stepping(self, name: str, player: Player, chosen: bool) -> Iterator[None]:
        """Around a player's step: its length over that of the weights, where the round is a `chosen` one."""
        measured = self.is_watched and chosen
        before = [p.detach().clone() for p in player.parameters()] if measured else []
        yield
        if measured:
            step = norm(torch._foreach_sub(before, [p.detach() for p in player.parameters()]))
            step /= max(norm(before), 1e-12)
            self._steps.setdefault(name, []).append(step)
            self._largest[name] = max(step, self._largest.get(name, 0.0))

    def take(self) -> dict[str, float]:
        """For each player X `turns.X`, how many it had, `step.X` and `largest.X`, the median and the largest of its
        measured steps; `waiting`, the share of the time that went into reading data. Since they were last taken."""
        found = {"waiting": self._waited / max(time.perf_counter() - self._began, 1e-9)}
        found |= {f"turns.{name}": float(num) for name, num in self._due.items()}
        found |= {f"step.{name}": float(np.median(steps)) for name, steps in self._steps.items()}
        found |= {f"largest.{name}": step for name, step in self._largest.items()}
        self._begin()
        return found


def norm(tensors: Iterable[Tensor | None]) -> float:
    """The Euclidean norm of all the numbers together; NaN or infinite if one of them is."""
    found = [tensor.detach() for tensor in tensors if tensor is not None]
    return torch.stack(torch._foreach_norm(found)).cpu().double().norm().item() if found else 0.0
