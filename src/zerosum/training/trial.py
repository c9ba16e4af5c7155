"""How fast a game is played here, before the run begins: it decides what fits into the minutes."""

from __future__ import annotations

import copy
import time

from zerosum.core.batch import Source
from zerosum.core.game import Game
from zerosum.core.machine import Machine
from zerosum.core.plan import Plan
from zerosum.training.distributed import Team
from zerosum.training.match import Match

PARTS = 8  # of the run, each tried at its middle: what stages and growing networks cost changes as it goes on


def trial(game: Game, source: Source, plan: Plan, machine: Machine, team: Team, seconds: float) -> float:
    """Images a second over the whole of a run, tried for about so many seconds on a copy that is thrown away.

    It begins with the end, where networks that grow are largest: what there is no time to try costs no more.
    """
    match = Match(copy.deepcopy(game), source, plan, machine, total=10**9, team=team)
    costs: list[float] = []
    end = time.monotonic() + seconds
    while len(costs) < PARTS and not (costs and team.any(time.monotonic() > end)):
        match.clock.images = int((PARTS - len(costs) - 0.5) / PARTS * match.clock.total)
        costs.append(_cost(match, team, seconds / PARTS))
    return len(costs) / sum(costs)


def _cost(match: Match, team: Team, seconds: float) -> float:
    """Seconds an image, from here on: each turn's by itself, weighed by how often it comes, so that lazy ones count as
    they should in however short a time. The first time through does not count."""
    match.clock.rounds = 0  # all that belong to this stage are due
    due = [(number, turn) for number, turn in enumerate(match.turns) if turn.is_due(match.clock)]
    images = match.batch * sum(turn.times / turn.every for _, turn in due if turn.draws)
    spent, times = 0.0, 0
    for number, _ in due:
        match.play_turn(number)
    begin = time.monotonic()
    while not times or not team.any(time.monotonic() - begin > seconds):
        for number, turn in due:
            before = time.monotonic()
            match.play_turn(number)
            spent += (time.monotonic() - before) * turn.times / turn.every
        times += 1
    return spent / times / images
