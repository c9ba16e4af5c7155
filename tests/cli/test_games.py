"""`zerosum games`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from zerosum import cli
from zerosum.core import catalog, family


def test_the_tree_shows_every_game_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games"]) == 0
    said = capsys.readouterr().out
    firsts = [line.split()[0] for line in said.splitlines() if line.strip()]
    assert all(firsts.count(name) == 1 for name in catalog.names())
    assert "    house" in said, "house stands under dcgan, which stands under gan"


def test_one_in_full_says_whence_and_whither(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games", "dcgan"]) == 0
    said = capsys.readouterr().out
    for fact in ("Year:        2016", "Plays on:    pictures", "Grew out of: gan", "Led to:      house", "1511.06434"):
        assert fact in said


def test_json_holds_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record) == set(catalog.names())
    assert record["house"]["stems_from"] == "dcgan"
    assert cli.main(["games", "house", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"house": record["house"]}


def test_the_costs_are_of_games_that_are_there() -> None:
    found = family.costs()
    assert found["dcgan"].times == 1
    assert set(found) <= set(catalog.names())
    assert all(0 < cost.low <= cost.times <= cost.high for cost in found.values())


def test_it_does_not_import_torch() -> None:
    code = "import sys; from zerosum.cli import main; main(['games', 'dcgan']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
