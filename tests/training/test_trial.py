"""The trial that turns minutes into images."""

from __future__ import annotations

import time

import pytest

from tests.conftest import made_up
from zerosum.core import catalog
from zerosum.core.batch import DataShape, Images
from zerosum.core.game import Clock, Moves
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.distributed import Team
from zerosum.training.trial import PARTS, trial

PLAN = Plan(batch=8, micro=8, order="epochs", precision="fp32")


def tried(monkeypatch: pytest.MonkeyPatch, costs: list[float], seconds: float) -> tuple[float, list[float]]:
    """The rate found for a game whose rounds cost so much in each part of the run, and the parts that were tried."""
    game_type = catalog.game("gan")
    source = made_up(Images, DataShape(32, 32, 1))
    game = game_type(game_type.tiny, source.shape)
    now, fractions = [0.0], []

    def D_loss(self: object, batch: Images, clock: Clock) -> Moves | None:
        fractions.append(clock.fraction)
        now[0] += costs[int(clock.fraction * len(costs))]
        return None

    monkeypatch.setattr(game_type, "D_loss", D_loss)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    rate = trial(game, source, PLAN, choose(PLAN), Team(), seconds)
    return rate, sorted({round(f, 4) for f in fractions})


def test_all_parts_of_a_run_count_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = [1.0] * 4 + [3.0] * 4
    rate, parts = tried(monkeypatch, costs, 1000.0)
    assert rate == pytest.approx(8 / 2)  # 8 pictures a round of 2 seconds on average
    assert len(parts) == PARTS


def test_it_begins_with_the_dearest_and_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rate, parts = tried(monkeypatch, [1.0] * 4 + [30.0] * 4, 10.0)
    assert rate == pytest.approx(8 / 30)
    assert parts == [pytest.approx(15 / 16, abs=1e-3)]
