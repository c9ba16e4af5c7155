"""zerosum diagnose: the findings of a run in plain words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.test_monitor import DATA, HEALTHY, INFO
from zerosum import cli
from zerosum.cli.diagnose import sparkline
from zerosum.core.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of 20 looks that collapses after 12."""
    run = Run(tmp_path / "run")
    run.write_info(INFO)
    run.append("vitals.jsonl", {"images": 0, "data": DATA})
    for i in range(20):
        collapsed = {"spread": 0.02, "twins": 1.0, "coverage": 0.02} if i >= 12 else {}
        run.append("vitals.jsonl", {"images": 1000 * (i + 1), **HEALTHY, **collapsed})
    return run


def test_it_reads_as_a_colleague_would_write_it(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", str(run.path)]) == 0
    said = capsys.readouterr().out
    assert "house on faces, 20,000 of 40,000 images" in said
    assert "MODE COLLAPSE (fault), since 13,000 images" in said
    assert "Do   zerosum train faces --rate 0.00012" in said
    assert "Balance  50 %" in said


def test_json_holds_the_same(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", str(run.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "mode_collapse" in [finding["kind"] for finding in found["findings"]]
    assert found["balance"] == 0.85
    assert found["outlook"]["state"] == "early"


def test_a_healthy_run_and_one_that_nobody_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(tmp_path / "run")
    run.write_info(INFO)
    assert cli.main(["diagnose", str(run.path)]) == 0
    assert "Nobody has looked at it yet" in capsys.readouterr().out
    for i in range(20):
        run.append("vitals.jsonl", {"images": 1000 * (i + 1), **HEALTHY})
    assert cli.main(["diagnose", str(run.path)]) == 0
    assert "Nothing to complain of" in capsys.readouterr().out


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", str(tmp_path)]) == 1
    assert "not a run's folder" in capsys.readouterr().err


def test_sparklines_rise_and_leave_gaps() -> None:
    assert sparkline([0.0, 0.5, 1.0]).startswith("▁")
    assert sparkline([0.0, None, 1.0])[1] == " "
    assert sparkline([None]) == ""
