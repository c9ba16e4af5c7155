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
    """Seconds an image, from here on; the first two rounds do not count."""
    for _ in range(2):
        match.play_round()
    begin, before = time.monotonic(), match.clock.images
    while match.clock.images == before or not team.any(time.monotonic() - begin > seconds):
        match.play_round()
    return (time.monotonic() - begin) / (match.clock.images - before)
