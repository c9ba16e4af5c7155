"""The first losses of each game. `python -m tests.contract.golden [GAME]` records them anew, on purpose."""

from __future__ import annotations

import json
import sys
import typing
from pathlib import Path

import torch

from tests.conftest import made_up
from zerosum.core import catalog
from zerosum.core.batch import Attribute, DataShape
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.match import Match

LABELS = (Attribute("class", ("a", "b", "c")), Attribute("glasses", ("no", "yes")))  # for those who ask for them
FILE = Path(__file__).with_name("golden.json")


def losses(name: str) -> dict[str, float]:
    """The mean of each note over four rounds of the tiny game, float32, seed 0."""
    game_type = catalog.game(name)
    kind = (typing.get_args(game_type.plays_on) or (game_type.plays_on,))[0]
    source = made_up(kind, DataShape(32, 32, 3, LABELS))
    torch.manual_seed(0)
    plan = Plan(batch=8, micro=4, order="epochs", precision="fp32")
    game = game_type(game_type.tiny, source.shape)
    game.meet(source)
    match = Match(game, source, plan, choose(plan), total=1000)
    for _ in range(4):
        match.play_round()
    return match.take_notes()


if __name__ == "__main__":
    known = json.loads(FILE.read_text(encoding="utf-8"))
    known |= {name: losses(name) for name in sys.argv[1:] or catalog.names()}
    FILE.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n", encoding="utf-8")
