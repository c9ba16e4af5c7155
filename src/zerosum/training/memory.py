"""How much memory a run needs, told before it begins."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from zerosum.core.batch import Source, pictures
from zerosum.core.game import Game, Player, Turn
from zerosum.core.generator import Samples
from zerosum.core.machine import Machine
from zerosum.core.plan import Plan
from zerosum.metrics.gallery import BATCH
from zerosum.metrics.pca_gaussian import COMPONENTS, OVERSAMPLED
from zerosum.training.match import Match
from zerosum.training.uncompiled import make, step
from zerosum.training.vitals import looked_at

# By the largest resident sizes of processes that played each game of the catalogue on a CPU, at 64 to 256 pixels.
LIBRARIES = 150_000_000  # bytes that torch's kernels, and what draws, take once they are in use
JUDGES = 100_000_000  # bytes of the judges' networks and what they work on, whatever the pictures' size
WORK = 1.6  # (1.3 to 2.1) what is kept for backward, its gradients on the way, the kernels' own work space
FEW = 2  # pictures, and twice as many, on which losses are played; what more of them need lies on a line


@dataclass(frozen=True)
class Need:
    """Bytes that a run takes which plays `micro` pictures at once, by what for.

    `weights`: parameters and buffers of the game. `gradients`: of the players of one turn, at the most. `average`: the
    running average, or before it the copy of the game that a trial plays on: as much as the weights. `watched`: the
    pictures by which the run's health is told. `judges`: what scoring takes, while nothing is played. `turns`: what
    each turn's loss keeps for backward, as (bytes, bytes a picture).
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    watched: int
    judges: int
    micro: int
    turns: tuple[tuple[int, int], ...] = ()

    @property
    def activations(self) -> int:
        """What the hungriest turn keeps for backward."""
        return max((kept + each * self.micro for kept, each in self.turns), default=0)

    @property
    def total(self) -> int:
        """The most that there is at once."""
        always = LIBRARIES + self.weights + self.gradients + self.optimizer + self.average + self.watched
        return always + max(round(WORK * self.activations), self.judges)


def needed(game: Game, source: Source, plan: Plan, machine: Machine) -> Need:
    """What a run by a complete plan needs. Each turn's loss is played on a few pictures, by a copy of the game: neither
    the game is changed by it nor the state of the random numbers."""
    need, played = standing(game, source, plan, machine), copy.deepcopy(game)
    few, more = (FEW, 2 * FEW) if need.micro > 2 * FEW else (0, need.micro)

    def kept(num: int) -> list[int]:
        match = Match(played, source, replace(plan, batch=num, micro=num), machine, plan.images or 1)
        match.clock.images = match.clock.total  # networks that grow are largest at the end
        return [_kept(match, turn) for turn in match.turns]

    with torch.random.fork_rng([machine.device] if machine.device.type == "cuda" else []):
        machine.seed(plan.seed)
        most = kept(more)
        least = kept(few) if few else [0] * len(most)
    each = [(b - a) // (more - few) for a, b in zip(least, most, strict=True)]
    return replace(need, turns=tuple((b - more * one, one) for b, one in zip(most, each, strict=True)))


def _kept(match: Match, turn: Turn) -> int:
    """Bytes of what a turn's loss keeps for backward, also for that of a gradient within it; the weights apart."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*match.game.parameters(), *match.game.buffers())}
    found: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        match.rehearse(turn)
    return sum(found.values())


def standing(game: Game, source: Source, plan: Plan, machine: Machine) -> Need:
    """What a run by a complete plan needs while it stands: all but `turns`. Plays nothing, allots nothing."""
    assert plan.micro is not None
    players, weights = game.players(), held(game)
    moving = [[p for name in turn.names() for p in players[name].parameters()] for turn in game.turns()]
    watched = judges = 0
    if isinstance(game.generator(), Samples) and machine.device.type == "cpu":  # these are the processor's, always
        picture = 4 * source.shape.channels * source.shape.height * source.shape.width
        watched = 2 * looked_at(source.shape) * picture  # real ones, and such as are held out
        if plan.score and pictures(source) is not None:  # made ones while they are rounded; PCA-Gaussian's fit
            most = max(3 * min(plan.score, len(source)), 4 * (COMPONENTS + OVERSAMPLED) + 2 * BATCH)
            judges = JUDGES + most * picture
    gradients = max(sum(p.nbytes for p in parameters) for parameters in moving)
    optimizer = sum(_remembered(player) for player in players.values())
    return Need(weights, gradients, optimizer, weights, watched, judges, plan.micro)


def held(game: Game) -> int:
    """Bytes of a game's parameters and buffers."""
    return sum(tensor.nbytes for tensor in (*game.parameters(), *game.buffers()))


def _remembered(player: Player) -> int:
    """Bytes that a player's optimizer remembers, told by a step on small stand-ins for the parameters."""
    parameters = player.parameters()
    small = [nn.Parameter(torch.zeros([2] * p.dim(), dtype=p.dtype)) for p in parameters]
    optimizer = make(player.optimizer, small)
    for one in small:
        one.grad = torch.zeros_like(one)
    step(optimizer)
    return sum(
        kept.element_size() * p.numel()
        for p, one in zip(parameters, small, strict=True)
        for kept in optimizer.state[one].values()
        if isinstance(kept, Tensor) and kept.shape == one.shape  # not the number of its steps
    )
