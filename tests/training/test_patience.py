"""When to stop and what to keep, on made-up curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Blobs
from zerosum import api
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.training import trainer
from zerosum.training.patience import Outlook, chosen, error, outlook, score


def line(images: int, ratio: float, half: float = 0.05) -> dict:
    """A line of metrics.jsonl whose leading judge gives `ratio` times PCA-Gaussian's KID of 2, +- half of that."""
    kid = {"value": 2 * ratio, "low": 2 * (ratio - half), "high": 2 * (ratio + half), "pca_gaussian": 2.0}
    return {
        "images": images,
        "snapshot": f"snapshot-{images:09d}.safetensors",
        "kid": kid,
        "kid_random": kid | {"value": ratio},
        "coverage": {"value": 0.5, "ceiling": 0.97, "pca_gaussian": 0.4},
        "verdict": {"ratio": ratio, "text": ""},
    }


def curve(ratios: list[float]) -> list[dict]:
    return [line(1000 * (i + 1), ratio) for i, ratio in enumerate(ratios)]


def test_the_standard_error_is_the_intervals_half_over_t() -> None:
    assert score(line(1, 0.8)) == 0.8
    assert error(line(1, 0.8, half=0.2093)) == pytest.approx(0.1)


def test_the_earliest_that_cannot_be_told_from_the_best_is_chosen() -> None:
    lines = curve([2.0, 1.0, 0.62, 0.61, 0.60, 0.61])
    assert chosen(lines)["images"] == 3000
    assert chosen([]) is None
    assert chosen([{"images": 5, "snapshot": "x"}]) is None


def test_a_falling_curve_is_worth_going_on_with_and_says_how_much() -> None:
    images = np.arange(1, 13)
    expected = outlook(curve(list(3 * images**-0.5)))
    assert expected.state == "going"
    assert expected.gain == pytest.approx(1 - 2**-0.5, abs=0.02)


@pytest.mark.parametrize(("level", "state"), [(0.5, "done"), (1.5, "stuck")])
def test_a_flat_curve_is_over(level: float, state: str) -> None:
    lines = curve([3 * level, 2 * level, level, *[level * 1.001] * 9])
    expected = outlook(lines)
    assert expected.state == state
    assert expected.chosen == "snapshot-000003000.safetensors"


def test_pictures_that_have_collapsed_are_never_the_best() -> None:
    collapsed = line(4000, 0.1) | {"coverage": {"value": 0.01, "ceiling": 0.97, "pca_gaussian": 0.4}}
    lines = [*curve([2.0, 1.0, 0.9]), collapsed]
    assert score(collapsed) > 1e5
    assert chosen(lines)["images"] == 3000


def test_of_pictures_that_have_all_collapsed_the_best_is_not_the_first() -> None:
    nothing = {"coverage": {"value": 0.0, "ceiling": 0.97, "pca_gaussian": 0.4}}
    assert chosen([one | nothing for one in curve([16.0, 9.0, 4.0])])["images"] == 3000


def test_patience_is_half_as_long_again_as_the_best_took_and_longer_where_nothing_is_good_yet() -> None:
    falling = list(np.linspace(3.0, 0.5, 12))
    assert outlook(curve([*falling, *[0.8] * 5])).state == "going"  # the next score comes at 18,000 images
    assert outlook(curve([*falling, *[0.8] * 6])).state == "done"
    poor = [3.0, 2.5, 2.0, 1.5]
    assert outlook(curve([*poor, *[2.0] * 7])).state == "going"
    assert outlook(curve([*poor, *[2.0] * 8])).state == "stuck"


def test_a_trend_that_still_falls_is_not_over() -> None:
    assert outlook(curve([9.0, 3.0, 2.0, *np.linspace(1.9, 1.2, 10)])).state == "going"


def test_few_scores_say_nothing() -> None:
    assert outlook([line(50 * (i + 1), 2.0) for i in range(9)]).state == "early"
    assert outlook(curve([2.0, 1.0])).state == "early"
    assert outlook([]).chosen is None


def test_with_stop_the_run_ends_when_nothing_more_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter(["early", "going", "done"])
    monkeypatch.setattr(trainer, "outlook", lambda lines: Outlook(next(states), None, 0.0, "Done: nothing better."))
    source, run = Blobs(20), Run(tmp_path / "run")
    plan = Plan(images=400, batch=4, save=40, stop=True)
    trainer.train(api.build("dcgan", source, {"width": 2, "z": 4}, seed=0), source, run, plan)
    assert run.is_finished
    assert run.log()[-1]["images"] == 120
    assert run.snapshots[-1].name == "snapshot-000000120.safetensors"
