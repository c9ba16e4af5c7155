"""Sets of points whose modes are known, and how many of them a game reaches: minutes where pictures take hours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from zerosum.bench._frame import _code
from zerosum.core.batch import Batch, DataShape, Table
from zerosum.core.files import cache_dir, digest, save_json
from zerosum.core.plan import Plan

if TYPE_CHECKING:
    from zerosum.core.game import Game

SAMPLES, KEPT = 2_500, 1_000  # points judged at each look; those kept for the figures
NEAR = 3.0  # standard deviations within which a point belongs to its mode
ROWS = 100_000


class Points:
    """A Source of rows of two numbers: Gaussians of deviation `spread` about `centres`, float [m, 2]."""

    holds: type[Batch] = Table
    shape = DataShape(1, 2, 1)

    def __init__(self, name: str, centres: Sequence[tuple[float, ...]], spread: float):
        self.name, self.centres, self.spread = name, np.array(centres, np.float64), spread
        self.fingerprint = digest([name, self.centres.tolist(), spread])
        random = np.random.default_rng(0)
        middles = self.centres[random.integers(len(centres), size=ROWS)]
        self.rows = (middles + spread * random.standard_normal((ROWS, 2))).astype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: np.ndarray) -> Table:
        """The rows at `indices`."""
        return Table(torch.from_numpy(self.rows[indices]))

    def heldout(self) -> None:
        """None: the modes themselves are known."""

    def judged(self, points: np.ndarray) -> tuple[int, float]:
        """Modes with a point of float [n, 2] within NEAR deviations, and the share of points that are so near to one.

        Lin et al. 2018 (arXiv 1712.04086), section 4.1.
        """
        distances = np.linalg.norm(points[:, None] - self.centres, axis=2)
        good = distances.min(1) <= NEAR * self.spread
        return len(np.unique(distances.argmin(1)[good])), float(good.mean())


def grid() -> Points:
    """25 Gaussians on a grid of step 2, deviation 0.05: the 2D-grid of Lin et al. 2018, section 4.1."""
    return Points("grid", list(product((-4.0, -2.0, 0.0, 2.0, 4.0), repeat=2)), 0.05)


def ring(away: float = 0.0) -> Points:
    """8 Gaussians of deviation 0.1 on a circle of radius 2, whose middle lies so far `away` along the first column."""
    angles = [2 * np.pi * k / 8 for k in range(8)]
    return Points("ring", [(away + 2 * np.cos(a), 2 * np.sin(a)) for a in angles], 0.1)


def looks(points: Points, settings: dict, plan: Plan, count: int) -> list[dict]:
    """Plays gan on the points; at `count` times, evenly to the end, what the live G makes of fixed latents:
    "images", "modes", "good" and "points", [KEPT, 2]. From the cache, where it was played before."""
    from zerosum import api
    from zerosum.training.recipe import complete, recipe_of

    game = api.build("gan", points, settings, plan.seed)
    name = f"{recipe_of(game, points, plan)}-{count}-{_code('gan')}.json"
    path = cache_dir("looks") / name
    if not path.is_file():
        save_json(path, _played(game, points, complete(game, plan), count))
    return json.loads(path.read_text(encoding="utf-8"))


def _played(game: Game, points: Points, plan: Plan, count: int) -> list[dict]:
    from zerosum.core.machine import choose
    from zerosum.training.match import Match

    assert plan.images is not None
    torch.set_flush_denormal(True)  # as the trainer does
    match, found = Match(game, points, plan, choose(plan), total=plan.images), []
    G: Any = game.generator()  # on the live networks
    z = G.latents(SAMPLES, seed=plan.seed)
    for number in range(1, count + 1):
        while match.clock.images < number * plan.images / count:
            match.play_round()
        with torch.inference_mode():
            made = G(z).numpy()
        modes, good = points.judged(made)
        found.append(
            {"images": match.clock.images, "modes": modes, "good": good, "points": made[:KEPT].round(3).tolist()}
        )
    return found
