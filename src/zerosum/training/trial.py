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


def trial(game: Game, source: Source, plan: Plan, machine: Machine, team: Team, seconds: float) -> float:
    """Images a second over so many seconds, on a copy that is thrown away; the first two rounds do not count."""
    match = Match(copy.deepcopy(game), source, plan, machine, total=10**9, team=team)
    for _ in range(2):
        match.play_round()
    begin, before = time.monotonic(), match.clock.images
    while not team.any(time.monotonic() - begin > seconds):
        match.play_round()
    return (match.clock.images - before) / (time.monotonic() - begin)
