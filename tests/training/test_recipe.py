"""What sets a run apart from the one in a folder, in words."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from tests.conftest import Blobs
from zerosum import api
from zerosum.core.game import Game
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.distributed import Team
from zerosum.training.recipe import complete, differences

SOURCE, PLAN = Blobs(20), Plan(images=64, batch=8, device="cpu")


@pytest.fixture(scope="module")
def game() -> Game:
    return api.build("dcgan", SOURCE, {"width": 2, "z": 4}, seed=0)


@pytest.fixture
def info(game: Game) -> dict:
    """Of the run that stands in the folder, as JSON gives it back."""
    return json.loads(
        json.dumps(
            {
                "game": "dcgan",
                "config": game.settings(),
                "shape": asdict(SOURCE.shape),
                "data": {"name": SOURCE.name, "count": len(SOURCE), "fingerprint": SOURCE.fingerprint},
                "plan": asdict(complete(game, PLAN)) | {"save": 8, "log": 1, "grid": 2},
                "arithmetic": choose(PLAN).arithmetic,
            }
        )
    )


@pytest.mark.parametrize(
    ("plan", "wanted"),
    [
        (replace(PLAN, batch=4), ["batch is 8 there and 4 here", "micro is 8 there and 4 here"]),
        (
            replace(PLAN, images=None, minutes=2),
            ["minutes is open there and 2 here", "images is 64 there and open here"],
        ),
        (replace(PLAN, log=5, grid=5, keep=1), ["the kind of device, or --save"]),
        (replace(PLAN, save=16), ["save is 8 there and 16 here"]),
    ],
)
def test_the_parts_of_the_plan_that_count_are_named(info: dict, game: Game, plan: Plan, wanted: list[str]) -> None:
    assert differences(info, game, SOURCE, plan) == wanted


def test_fewer_processes_are_told_by_the_micro_batch(info: dict, game: Game) -> None:
    assert differences(info, game, SOURCE, PLAN, Team(0, 2)) == ["micro is 8 there and 4 here"]


def test_settings_within_settings_are_named_in_full(info: dict, game: Game) -> None:
    info["config"]["levers"]["pack"] = 3
    assert differences(info, game, SOURCE, PLAN) == ["levers.pack is 3 there and 1 here"]


def test_settings_and_the_game_are_named(info: dict, game: Game) -> None:
    info["config"]["width"] = 7
    assert differences(info, game, SOURCE, PLAN) == ["width is 7 there and 2 here"]
    assert differences(info | {"game": "house"}, game, SOURCE, PLAN) == ["the game is house there and dcgan here"]


def test_data_that_differ_are_named_in_the_plainest_way(info: dict, game: Game) -> None:
    data = info["data"]
    for changed, wanted in (
        ({"data": data | {"name": "cats"}}, "data is cats there and"),
        ({"shape": info["shape"] | {"height": 64}}, "the pictures' size is"),
        ({"data": data | {"count": 19}}, "is 19 there and 20 here"),
        ({"data": data | {"fingerprint": "0"}}, "has changed"),
    ):
        (found,) = differences(info | changed, game, SOURCE, PLAN)
        assert wanted in found
    assert differences({}, game, SOURCE, PLAN), "a damaged record is no traceback"
