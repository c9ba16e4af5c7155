"""The losses of every game's first four rounds. `python -m tests.contract.golden` records them anew, on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tests.conftest import Blobs
from zerosum.core import catalog
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.match import Match

FILE = Path(__file__).with_name("golden.json")


def losses(name: str) -> dict[str, float]:
    """The mean of each note over four rounds of the tiny game, float32, seed 0."""
    game_type = catalog.game(name)
    source = Blobs()
    torch.manual_seed(0)
    plan = Plan(batch=8, micro=4, order="epochs", precision="fp32")
    match = Match(game_type(game_type.tiny, source.shape), source, plan, choose(plan), total=1000)
    for _ in range(4):
        match.play_round()
    return match.take_notes()


if __name__ == "__main__":
    FILE.write_text(json.dumps({name: losses(name) for name in catalog.names()}, indent=2) + "\n", encoding="utf-8")
