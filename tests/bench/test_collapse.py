"""When a run has collapsed, by its modes; and how it is made to."""

from __future__ import annotations

import pytest

from tests.conftest import Blobs
from zerosum import api
from zerosum.bench.collapse import _began, _let_loose
from zerosum.core.game import Clock


@pytest.mark.parametrize(
    ("modes", "began"),
    [
        ([0.9] * 20 + [0.2] * 20, 10_500),
        ([0.9] * 19 + [0.4] * 4 + [0.9] * 17, 10_000),
        ([0.9] * 19 + [0.4] * 3 + [0.9] * 18, None),
        ([0.9] * 40, None),
        ([0.1] * 40, None),
        ([0.3] * 10 + [1.0] * 24 + [0.5] * 6, 17_500),
    ],
)
def test_a_collapse_begins_where_half_of_the_modes_are_gone_for_four_looks(
    modes: list[float], began: float | None
) -> None:
    assert _began(modes, images=20_000) == began


def test_a_generator_let_loose_keeps_its_rate_until_the_middle() -> None:
    game = api.build("house", Blobs(8), {"width": 4, "z": 4}, seed=0)
    _let_loose(game, 30)
    rate = game.players()["G"].rate
    assert [rate(Clock(images=images, rounds=0, total=100)) for images in (0, 49, 50, 99)] == [1, 1, 30, 30]
    assert game.players()["D"].rate(Clock(images=99, rounds=0, total=100)) == 1
