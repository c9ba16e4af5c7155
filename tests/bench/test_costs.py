"""What a step costs, beside dcgan's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zerosum.bench import _costs
from zerosum.core import family
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal


def test_the_slimmer_game_costs_less() -> None:
    found = _costs.measure(["gan", "dcgan"], DataShape(16, 16, 1, _costs.LABELS), repeats=1)
    assert found["dcgan"].times == 1
    assert 0 < found["gan"].times < 1
    assert found["gan"].where.endswith("16 x 16 x 1")


def test_games_are_added_to_those_measured_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cost = family.Cost(2.0, 1.0, 3.0, "here")
    monkeypatch.setattr(family, "COSTS", tmp_path / "costs.json")
    monkeypatch.setattr(_costs, "measure", lambda names, shape: dict.fromkeys(names, cost))
    (tmp_path / "costs.json").write_text(json.dumps({"gan": {"times": 1, "low": 1, "high": 1, "where": "there"}}))
    _costs.main(["house"])
    assert family.costs() == {"gan": family.Cost(1, 1, 1, "there"), "house": cost}
    with pytest.raises(Refusal, match="no game"):
        _costs.main(["hause"])
