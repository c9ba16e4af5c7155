"""Whether there is room for a run in this machine's memory: what cannot fit is refused, with what would."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import cast

import torch

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.game import Game
from zerosum.core.machine import Machine, available
from zerosum.core.plan import Plan
from zerosum.training.distributed import Team
from zerosum.training.memory import Need, held, needed, standing
from zerosum.training.screen import Screen


def refuse_oversized(game: Game) -> None:
    """Raises Refusal if there is no room for a game that stands on the device "meta", where it takes none."""
    size, room = held(game), available(torch.device("cpu"))
    if room is not None and size > room:
        what = f"the networks and memories of {game.name()} with these settings take {_plain(size)}"
        raise Refusal(f"{what}; {_plain(room)} are free. {_lower(game)}")


def fitting(
    game: Game, source: Source, plan: Plan, machine: Machine, team: Team, screen: Screen
) -> dict[str, int | None]:
    """What a run by a complete plan needs and what there is, in bytes, for run.json; said if it is more than half.

    Raises Refusal, in all of the team, if the lead has no room for it.
    """
    weighed = _weighed(game, source, plan, machine) if team.leads else None  # once: it takes memory itself
    need, room = cast(tuple[Need, int | None], team.agree(weighed))
    told = f"{game.name()} on {source.name}, {source.shape}, by --batch {plan.batch} and --micro {need.micro}"
    if room is not None and need.total > room:
        told = f"{told} needs about {_plain(need.total)} of memory; {_plain(room)} are free."
        raise Refusal(f"{told} {_advice(game, plan, need, room, team.size)}")
    if room is not None and need.total > room / 2:
        screen.say(f"{told} needs about {_plain(need.total)} of memory, of {_plain(room)} that are free")
    parts = {name: num for name, num in asdict(need).items() if name not in ("micro", "turns")}
    return {"needed": need.total, "free": room, **parts, "activations": need.activations}


def _weighed(game: Game, source: Source, plan: Plan, machine: Machine) -> tuple[Need, int | None]:
    """What is needed, and what there is for it. What has no room while it stands is not played."""
    need, room = standing(game, source, plan, machine), available(machine.device)
    if room is not None and machine.device.type == "cpu":
        room = room // int(os.environ.get("LOCAL_WORLD_SIZE", "1")) + need.weights  # they are there already
    fits = room is None or replace(need, judges=0).total <= room
    return (needed(game, source, plan, machine) if fits else need), room


def _advice(game: Game, plan: Plan, need: Need, room: int, processes: int) -> str:
    """What would fit: the greatest micro-batch, without judging if it must be, or a smaller game."""
    assert plan.batch is not None
    judged, unjudged = (need, ""), (replace(need, judges=0), "--score 0 (not judged while it trains)")
    for lighter, without in [judged, unjudged] if plan.score and not plan.stop else [judged]:
        for micro in range(need.micro, 1, -1):  # one picture alone has no batch statistics
            total = replace(lighter, micro=micro).total
            if plan.batch % (micro * processes) == 0 and total <= room and need.turns:
                smaller = f"--micro {micro} (the same batch in smaller parts)" if micro < need.micro else ""
                options = " and ".join(option for option in (smaller, without) if option)
                return f"Train with {options}: {_plain(total)} will do."
    return _lower(game)


def _lower(game: Game) -> str:
    """Which settings of the game's make it smaller."""
    settings = game.settings()
    known = {
        "--levers.replay": settings.get("levers", {}).get("replay"),
        "--width": settings.get("width"),
        "--resolution": game.shape.height > 1,
    }
    options = [option for option, is_there in known.items() if is_there]
    return f"Train with a lower {' or '.join(options)}." if options else "Free some, or train on another machine."


def _plain(num: int) -> str:
    return f"{num / 1e9:,.1f} GB" if num >= 1e9 else f"{num / 1e6:.0f} MB"
