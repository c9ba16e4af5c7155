"""More than one process on one match: torchrun starts them, torch.distributed carries the sums."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.game import Game

T = TypeVar("T")


class Team:
    """The processes that play one match together, each with its share of every batch. Alone, all of this is nothing.

    The lead, rank 0, writes the run's folder and speaks; all others only play. What decides the course of a run
    (its length, a stop, a turn that is passed) is agreed on, so that no process waits for one that went elsewhere.
    """

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def share(self, firsts: range) -> range:
        """This process's part of a batch's micro-batches, in order; their number is a multiple of the team's size."""
        each = len(firsts) // self.size
        return firsts[self.rank * each : (self.rank + 1) * each]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor, all of one dtype and device, by its sum over the team."""
        if self.size == 1 or not tensors:
            return
        together = torch.cat([tensor.flatten() for tensor in tensors])
        with _heard():
            dist.all_reduce(together)
        for tensor, part in zip(tensors, together.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))

    def any(self, flag: bool) -> bool:
        """Whether it holds for at least one of the team."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)])
        with _heard():
            dist.all_reduce(flags)
        return bool(flags > 0)

    def agree(self, value: T) -> T:
        """The lead's value, for all: a plain one."""
        return self.gather(value)[0]

    def gather(self, value: T) -> list[T]:
        """Everybody's value, by rank: plain ones."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with _heard():
            dist.all_gather_object(values, value)
        return values

    @contextlib.contextmanager
    def lead_first(self) -> Iterator[None]:
        """The lead goes through the block before the others: what it fetches and caches, they find."""
        if not self.leads:
            self.agree(None)
        yield
        if self.leads:
            self.agree(None)


def introduce(game: Game, source: Source, team: Team) -> None:
    """Lets the game meet the data: in the lead, from which the others take what came of it."""
    if team.leads:
        game.meet(source)
    for buffer in game.buffers() if team.size > 1 else ():
        buffer.copy_(team.agree(buffer))


class Buffers:
    """A game's buffers while the micro-batches of a turn are played, perhaps by several processes.

    Each micro-batch begins with the same ones, and the turn leaves the mean of what they have become (of whole
    numbers, what they became last): so it does not matter who played which. Those of a module that says
    `per_process = True` (a pool of past fakes) go on from one micro-batch to the next, differ between processes, and
    keep what they saw in a turn that came to nothing: they may be large, and are never copied.
    """

    def __init__(self, game: Game, parts: int):
        """`parts`: micro-batches to a batch; with one there is nothing to bring together."""
        self.game, self.parts = game, parts

    def own(self) -> dict[str, Tensor]:
        """Those that differ between processes, by name."""
        private = {id(b) for m in self.game.modules() if getattr(m, "per_process", False) for b in m.buffers()}
        return {name: buffer for name, buffer in self.game.named_buffers() if id(buffer) in private}

    def begin(self) -> None:
        """Before a turn's first micro-batch."""
        own = {id(buffer) for buffer in self.own().values()}
        self._before = [(buffer, buffer.clone()) for buffer in self.game.buffers() if id(buffer) not in own]
        self._sums = [torch.zeros_like(buffer) for buffer in self._floats()]

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Around each micro-batch."""
        if self.parts > 1:
            for buffer, before in self._before:
                buffer.copy_(before)
        yield
        if self.parts > 1:
            for total, buffer in zip(self._sums, self._floats(), strict=True):
                total.add_(buffer)

    def end(self, team: Team) -> None:
        """After a turn's last micro-batch."""
        if self.parts > 1:
            team.sum(self._sums)
            for buffer, total in zip(self._floats(), self._sums, strict=True):
                buffer.copy_(total / self.parts)

    def undo(self) -> None:
        """After a turn that came to nothing: as they were before it."""
        for buffer, before in self._before:
            buffer.copy_(before)

    def _floats(self) -> list[Tensor]:
        return [buffer for buffer, _ in self._before if buffer.is_floating_point()] if self.parts > 1 else []


@contextlib.contextmanager
def joined() -> Iterator[Team]:
    """The team that torchrun has started this process in, or one of this process alone.

    NCCL carries the sums between GPUs, gloo between processors. Raises Refusal if the others cannot be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or dist.is_initialized():
        yield Team(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Team()
        return
    with _heard():
        # The others wait while the lead reads the data or judges: longer than the half hour that is usual.
        carrier = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(carrier, timeout=datetime.timedelta(days=1))
    try:
        yield Team(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Says in plain words that a sum cannot be had because another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise Refusal(
            f"another process of this run has ended or cannot be reached ({str(error).splitlines()[0]}); this one ends "
            "too. The last checkpoint is whole: run the same command again to go on from there."
        ) from error
