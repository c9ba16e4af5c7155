"""What a run is made of: the plan with nothing left open, and a hash of all that decides the result."""

from __future__ import annotations

from dataclasses import asdict, replace

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.files import digest
from zerosum.core.game import Game
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.distributed import Team

DEFAULTS = Plan(minutes=10, batch=64, order="epochs", average=0.1, score=500, keep=4)


def complete(game: Game, plan: Plan, team: Team | None = None) -> Plan:
    """The plan, with what it leaves open taken from the game's own, then from the defaults.

    Each process of a team takes its share of the batch at once. Raises Refusal if that does not go evenly.
    """
    plan, size = plan.over(game.plan()).over(DEFAULTS), team.size if team else 1
    assert plan.batch is not None
    if plan.batch % size:
        raise Refusal(f"--batch {plan.batch} cannot be shared evenly among {size} processes; {size * 8} could.")
    return replace(plan, micro=plan.micro or plan.batch // size)


def recipe_of(game: Game, source: Source, plan: Plan, team: Team | None = None) -> str:
    """A hash of all that decides a run's result: game, config, data, and those parts of the plan that count."""
    plan, machine = complete(game, plan, team), choose(plan)
    decisive = ("minutes", "images", "batch", "micro", "order", "average", "seed", "save", "score", "stop")
    played = [machine.device.type, machine.arithmetic, *(getattr(plan, name) for name in decisive)]
    return digest([game.name(), game.settings(), asdict(source.shape), source.fingerprint, played])
