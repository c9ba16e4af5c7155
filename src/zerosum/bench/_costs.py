"""What a picture costs each game, as a multiple of dcgan's: `python -m zerosum.bench._costs [GAME ...]`.

For `zerosum games`; kept in games/costs.json. Without names every game is measured.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
import typing
from collections.abc import Sequence

import numpy as np
import torch

from zerosum import api
from zerosum.core import catalog, family
from zerosum.core.batch import Attribute, Batch, DataShape, Images, Table, Unpaired
from zerosum.core.errors import Refusal
from zerosum.core.family import Cost
from zerosum.core.files import save_json
from zerosum.core.machine import choose, describe
from zerosum.core.plan import Plan
from zerosum.training.match import Match
from zerosum.training.trial import PARTS

YARDSTICK = "dcgan"
LABELS = (Attribute("class", tuple("0123456789")),)
REPEATS = 3


class Noise:
    """A source of noise of any kind: what a step costs does not hang on what it shows."""

    name = fingerprint = "noise"

    def __init__(self, holds: type[Batch], shape: DataShape):
        self.holds, self.shape = holds, shape
        size = (64, shape.width) if holds is Table else (64, shape.channels, shape.height, shape.width)
        self.x = torch.rand(size, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, indices: np.ndarray) -> Batch:
        """Noise; of pictures, with its labels."""
        x, y = self.x[indices], torch.from_numpy(indices % len(LABELS[0].classes))[:, None]
        return {Images: Images(x, y), Unpaired: Unpaired(x, x.flip(0)), Table: Table(x)}[self.holds]

    def heldout(self) -> Noise | None:
        """None."""
        return None


def measure(names: Sequence[str], shape: DataShape, repeats: int = REPEATS) -> dict[str, Cost]:
    """Plays each game at its own settings in turn with dcgan, both on pictures of this shape where the game takes any:
    the median of the ratios, and the least and the greatest."""
    machine = describe()
    where = f"{machine['cores']} cores of {machine['processor']}, {shape}"
    yardstick, found = _match(YARDSTICK, shape), {}
    for name in names:
        match = _match(name, shape)
        _seconds(match), _seconds(yardstick)  # the first step of all is slower
        ratios = [_seconds(match) / _seconds(yardstick) for _ in range(repeats)]
        median, low, high = (float(f"{figure(ratios):.3g}") for figure in (statistics.median, min, max))
        found[name] = Cost(median, low, high, where)
    return found | ({YARDSTICK: Cost(1.0, 1.0, 1.0, where)} if YARDSTICK in names else {})


def _match(name: str, shape: DataShape) -> Match:
    plays_on = catalog.game(name).plays_on
    source = Noise((typing.get_args(plays_on) or (plays_on,))[0], shape)
    game = api.build(name, source, {}, seed=0)
    plan = Plan().over(game.plan())
    plan = dataclasses.replace(plan, batch=plan.batch or 64, micro=plan.micro or plan.batch or 64, order="replacement")
    return Match(game, source, plan, choose(plan), total=10**9)


def _seconds(match: Match) -> float:
    """A picture's, over rounds from all parts of a run, as many as it takes until each turn has been due."""
    rounds = -(-max(turn.every for turn in match.turns) // PARTS)
    seconds = images = 0.0
    for part in range(PARTS):
        match.clock.images = before = int((part + 0.5) / PARTS * match.clock.total)
        begin = time.perf_counter()
        for _ in range(rounds):
            match.play_round()
        seconds += time.perf_counter() - begin
        images += match.clock.images - before
    return seconds / images


def main(names: Sequence[str]) -> None:
    """Measures these games, or all, and writes costs.json. Raises Refusal for an unknown name."""
    for name in names:
        catalog.file(name)
    kept = family.costs() if names else {}
    found = kept | measure(names or catalog.names(), DataShape(64, 64, 3, LABELS))
    save_json(family.COSTS, {name: dataclasses.asdict(cost) for name, cost in sorted(found.items())})


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Refusal as refusal:
        sys.exit(str(refusal))
