"""A game in play: each round, each turn that is due moves its own players. Knows no method's name."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from zerosum.core.batch import Batch, Source
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock, Game, Moves, Notes, Turn
from zerosum.core.machine import Machine
from zerosum.core.plan import Plan
from zerosum.training.distributed import Buffers, Team
from zerosum.training.effort import Effort, norm
from zerosum.training.uncompiled import make, step

_ORDER, _NOISE = 0, 1  # two streams of random numbers that never meet
_WATCHED = 4  # rounds, of which one is watched: how large the steps are


def key(*numbers: int) -> int:
    """A seed of 64 bits that depends on all of the numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


class Order:
    """Which picture is drawn as the k-th: by (seed, epoch) alone, or with replacement by (seed, k)."""

    def __init__(self, length: int, seed: int, replacement: bool):
        self.length, self.seed, self.replacement = length, seed, replacement
        self._epoch, self._permutation = -1, np.empty(0, np.int64)

    def draw(self, first: int, count: int) -> np.ndarray:
        """The indices, int64 [count], of the pictures drawn as numbers first, first + 1, ..."""
        if self.replacement:
            return np.random.default_rng((_ORDER, self.seed, first)).integers(self.length, size=count)
        numbers = range(first, first + count)
        return np.array([self._of_epoch(k // self.length)[k % self.length] for k in numbers], np.int64)

    def _of_epoch(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._epoch = epoch
            self._permutation = np.random.default_rng((_ORDER, self.seed, epoch)).permutation(self.length)
        return self._permutation


class Match:
    """A game with all that moves while it is played: optimizers, clock, and the sums of the notes.

    `plan` must be complete (batch, micro, order). Everything random is keyed by (seed, turn, repeat, number of the
    first picture in the micro-batch), so that the state below is all that an exact resume needs, and so that a `team`
    of processes, each with its share of the micro-batches, plays as one process would.
    Raises Refusal if the micro-batches of a batch cannot be shared evenly.
    """

    def __init__(self, game: Game, source: Source, plan: Plan, machine: Machine, total: int, team: Team | None = None):
        assert plan.batch is not None
        assert plan.micro is not None
        self.batch, self.micro = plan.batch, plan.micro
        self.team = team or Team()
        if self.batch // self.micro % self.team.size:
            raise Refusal(
                f"{self.batch // self.micro} micro-batches a batch cannot be shared among {self.team.size} processes. "
                f"Choose --batch and --micro so that batch / micro is a multiple of {self.team.size}."
            )
        self.game = machine.take(game).train()
        self.source, self.plan, self.machine = source, plan, machine
        self.buffers = Buffers(self.game, self.batch // self.micro)
        self.clock = Clock(total=total)
        self.order = Order(len(source), plan.seed, plan.order == "replacement")
        self.players = game.players()
        self.turns = game.turns()
        self._parameters_of = {name: player.parameters() for name, player in self.players.items()}
        self.optimizers = {
            name: make(player.optimizer, self._parameters_of[name]) for name, player in self.players.items()
        }
        self._rates = {n: [group["lr"] for group in o.param_groups] for n, o in self.optimizers.items()}
        self._first = 0  # number of the first picture of the batch in hand
        self._held: tuple[int, Batch] | None = None
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._pending: list[Notes] = []  # of the turn in hand
        self.slower = 1.0  # factor on all rates, below 1 after a roll-back
        self.skipped = 0  # steps that were not finite
        self._in_a_row: dict[str, int] = {}  # by the players of the turn
        self.effort = Effort()

    def play_round(self) -> None:
        """Each turn that is due, in order."""
        for index, turn in enumerate(self.turns):
            if turn.is_due(self.clock):
                for repeat in range(turn.times):
                    self._play(turn, index, repeat)
        self.clock.rounds += 1

    def play_turn(self, number: int) -> None:
        """One move of the turn of this number, due or not: for who times them apart."""
        self._play(self.turns[number], number, 0)

    def rehearse(self, turn: Turn) -> Moves | None:
        """The turn's loss on the first pictures, without a step: only buffers may move."""
        self._let_move(turn)
        with self.machine.autocast():
            return turn.loss(self._load(0), self.clock)

    def _play(self, turn: Turn, index: int, repeat: int) -> None:
        """One move: the gradients of a batch, in micro-batches, then a step of each of the turn's players."""
        self._pending = []
        if turn.draws:
            self._first = self.clock.images
            self.clock.images += self.batch
        self._let_move(turn)
        moved = False
        self.buffers.begin()
        for first in self.team.share(range(self._first, self._first + self.batch, self.micro)):
            self.machine.seed(key(_NOISE, self.plan.seed, index, repeat, first))
            with self.buffers.apart(), self.machine.autocast():
                moves = turn.loss(self._load(first), self.clock)
            if moves is not None:
                moved = True
                self._backward(moves, turn)
                self._pending.append(moves[1])
        self.buffers.end(self.team)
        if self.team.any(moved):
            self.effort.moved(turn)
            self._step(turn)

    def _load(self, first: int) -> Batch:
        """The micro-batch from picture number `first` on; the last one is held for the turns that do not draw."""
        if self._held is None or self._held[0] != first:
            with self.effort.waiting():
                batch = self.source.batch(self.order.draw(first, self.micro))
            self._held = first, batch.to(self.machine.device, self.machine.memory_format)
        return self._held[1]

    def _let_move(self, turn: Turn) -> None:
        """Gradients on for the turn's players alone."""
        for parameter in itertools.chain(*self._parameters_of.values()):
            parameter.requires_grad_(False)
            parameter.grad = None
        for parameter in self._parameters(turn):
            parameter.requires_grad_(True)

    def _parameters(self, turn: Turn) -> Iterator[torch.nn.Parameter]:
        for name in turn.names():
            yield from self._parameters_of[name]

    def _backward(self, moves: Moves, turn: Turn) -> None:
        """Adds a micro-batch's share to the gradients; where each player has its loss, to its own alone."""
        loss, share = moves[0], self.micro / self.batch
        if isinstance(loss, Tensor):
            (loss * share).backward()
            return
        for name in turn.names():
            gradients = torch.autograd.grad(
                loss[name] * share, self._parameters_of[name], retain_graph=True, allow_unused=True
            )
            for parameter, gradient in zip(self._parameters_of[name], gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def _step(self, turn: Turn) -> None:
        who = " ".join(turn.names())
        for parameter in self._parameters(turn):  # one that took no part counts as zero
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        self.team.sum([parameter.grad for parameter in self._parameters(turn) if parameter.grad is not None])
        if not math.isfinite(norm(parameter.grad for parameter in self._parameters(turn))):
            self.skipped += 1
            self._in_a_row[who] = self._in_a_row.get(who, 0) + 1
            self.buffers.undo()
            return
        self._in_a_row[who] = 0
        for name in turn.names():
            with self.effort.stepping(name, self.players[name], self.clock.rounds % _WATCHED == 0):
                self._move(name)
        for notes in self._pending:
            self._note(notes)

    def _move(self, name: str) -> None:
        """One step of a player's optimizer."""
        player, optimizer = self.players[name], self.optimizers[name]
        for parameter in self._parameters_of[name]:  # moments begin with the first gradient, or that step is a leap
            if parameter not in optimizer.state and parameter.grad is not None and not parameter.grad.any():
                parameter.grad = None
        for group, rate in zip(optimizer.param_groups, self._rates[name], strict=True):
            group["lr"] = rate * self.slower * player.rate(self.clock)
        step(optimizer)
        if player.after_step is not None:
            with torch.no_grad():
                player.after_step()

    def _note(self, notes: Notes) -> None:
        for name, value in notes.items():
            value = value.detach().double()
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def collect_notes(self) -> None:
        """Brings the team's sums of the notes to the lead; the others begin anew."""
        if self.team.size == 1:
            return
        everybody = self.team.gather({n: (float(value), self._counts[n]) for n, value in self._sums.items()})
        self._sums, self._counts = {}, {}
        for sums in everybody if self.team.leads else []:
            for name, (value, count) in sums.items():
                self._sums[name] = self._sum(value) + self._sums.get(name, 0)
                self._counts[name] = self._counts.get(name, 0) + count

    def _sum(self, value: float) -> Tensor:
        return torch.tensor(value, dtype=torch.float64, device=self.machine.device)

    @property
    def skipped_in_a_row(self) -> int:
        """Steps of the worst turn that were not finite, since its last that was."""
        return max(self._in_a_row.values(), default=0)

    def is_finite(self) -> bool:
        """Whether all that would be saved is: networks with their buffers, and the notes of the whole team."""
        self.collect_notes()
        numbers = [*self.game.parameters(), *self.game.buffers(), *self._sums.values()]
        return not self.team.any(not math.isfinite(norm(t for t in numbers if t.is_floating_point())))

    def take_notes(self) -> dict[str, float]:
        """The mean of each note since they were last taken."""
        means = {name: float(value) / self._counts[name] for name, value in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """All tensors of the state: the game's, the optimizers', and those in which the team's others differ."""
        others = self.team.gather(self.buffers.own())[1:]
        apart = {f"rank-{rank}": own for rank, own in enumerate(others, 1) if own}
        optimizers = _flat(self.optimizers)  # none before the first step, and safetensors cannot hold nothing
        return {"game": self.game.state_dict(), **({"optimizers": optimizers} if optimizers else {}), **apart}

    def state(self) -> dict:
        """The plain values of the state."""
        sums = {name: [float(value), self._counts[name]] for name, value in self._sums.items()}
        clock = {"images": self.clock.images, "rounds": self.clock.rounds, "first": self._first}
        stumbles = {"slower": self.slower, "skipped": self.skipped, "in_a_row": self._in_a_row}
        return {**clock, "notes": sums, **stumbles}

    def restore(self, state: dict, tensors: Callable[[str], dict[str, Tensor]]) -> None:
        """The inverse of `state` and `tensors`, of which it is given each by name; memory formats stay as they are."""
        self.clock.images, self.clock.rounds, self._first = state["images"], state["rounds"], state["first"]
        self.slower, self.skipped, self._in_a_row = state["slower"], state["skipped"], dict(state["in_a_row"])
        self._held = None
        notes = state["notes"] if self.team.leads else {}
        self._sums = {n: self._sum(v) for n, (v, _) in notes.items()}
        self._counts = {n: count for n, (_, count) in notes.items()}
        self.game.load_state_dict(tensors("game"))
        if not self.team.leads and self.buffers.own():
            with contextlib.suppress(KeyError):  # there were fewer processes then: this one begins with the lead's
                self.game.load_state_dict(tensors(f"rank-{self.team.rank}"), strict=False)
        _refill(self.optimizers, tensors("optimizers") if self.clock.rounds else {})


def _flat(optimizers: dict[str, Optimizer]) -> dict[str, Tensor]:
    """Each tensor of each optimizer under "player.number of the parameter.name"."""
    return {
        f"{player}.{number}.{name}": value
        for player, optimizer in optimizers.items()
        for number, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
    }


def _refill(optimizers: dict[str, Optimizer], tensors: dict[str, Tensor]) -> None:
    for player, optimizer in optimizers.items():
        optimizer.state.clear()
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for name, value in tensors.items():
            owner, number, entry = name.split(".")
            if owner == player:
                parameter = parameters[int(number)]
                like = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
                optimizer.state[parameter][entry] = like
