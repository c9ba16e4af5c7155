"""What a run is made of: the plan with nothing left open, and a hash of all that decides the result."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from zerosum.core.batch import DataShape, Source
from zerosum.core.errors import Refusal
from zerosum.core.files import digest
from zerosum.core.game import Game
from zerosum.core.generator import Samples
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.distributed import Team

DECISIVE = ("minutes", "images", "batch", "micro", "order", "average", "seed", "save", "score", "stop")  # of a plan
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
    played = [machine.device.type, machine.arithmetic, *(getattr(plan, name) for name in DECISIVE)]
    return digest([game.name(), game.settings(), asdict(source.shape), source.fingerprint, played])


def differences(info: dict, game: Game, source: Source, plan: Plan, team: Team | None = None) -> list[str]:
    """Why a run with this run.json is not of the same recipe: "batch is 64 there and 32 here", and so on.

    Of another game's run, neither settings nor plan are named: they mostly follow from the game. Where all that
    run.json notes is the same, what it does not note (the kind of device, --save as it was asked for) must differ.
    """
    found = [*_of_data(info, source)]
    if info.get("game") == game.name():
        new, machine = complete(game, plan, team), choose(plan)
        noted: dict = info.get("plan") or {}
        played = {name: getattr(new, name) for name in DECISIVE if name != "save" or new.save is not None}
        found += _unlike(info.get("config") or {}, game.settings())
        found += _unlike(noted, played) + _unlike(info, {"arithmetic": machine.arithmetic})
    else:
        found.insert(0, _differs("the game", info.get("game"), game.name()))
    return found or ["the kind of device, or --save"]


def _of_data(info: dict, source: Source) -> list[str]:
    """How the data differ, in the plainest way: at most one."""
    noted, shape = info.get("data") or {}, info.get("shape") or {}
    size = str(DataShape.from_json(shape)) if {"height", "width", "channels"} <= shape.keys() else None
    for what, there, here in (
        ("data", noted.get("name"), source.name),
        ("the pictures' size", size, str(source.shape)),
        (f"the number of pictures in {source.name}", noted.get("count"), len(source)),
    ):
        if there != here:
            return [_differs(what, there, here)]
    return [] if noted.get("fingerprint") == source.fingerprint else [f"what {source.name} holds has changed"]


def _unlike(there: dict, here: dict) -> list[str]:
    """Those of `here` that are not the same `there`, as JSON keeps them; what is nested by its whole name."""
    noted, kept = _flat(there), _flat(json.loads(json.dumps(here)))
    return [_differs(name, noted.get(name), value) for name, value in kept.items() if noted.get(name) != value]


def _flat(values: dict, before: str = "") -> dict:
    """{"levers": {"pack": 2}} as {"levers.pack": 2}."""
    flat: dict = {}
    for name, value in values.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return flat


def _differs(what: str, there: Any, here: Any) -> str:
    shown = ("open" if value is None else value for value in (there, here))
    return "{} is {} there and {} here".format(what, *shown)


def told(game: Game) -> dict[str, Any]:
    """What run.json says of the game: {"game", "config", "parameters" by player, "moves": who has a turn, "makes":
    whose parameters are the generator's own and not its judge's, "samples": whether it draws from noise,
    "restraint"}."""
    players, generator = game.players(), game.generator()
    made = {id(p) for name, p in generator.named_parameters() if not name.startswith("judge.")}
    return {
        "game": game.name(),
        "config": game.settings(),
        "parameters": {name: sum(p.numel() for p in player.parameters()) for name, player in players.items()},
        "moves": sorted({name for turn in game.turns() for name in turn.names()}),
        "makes": [name for name, player in players.items() if any(id(p) in made for p in player.parameters())],
        "samples": isinstance(generator, Samples),
        "restraint": game.restraint,
    }
