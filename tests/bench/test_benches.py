"""The benches work, and what the docs claim is what was measured."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path

import pytest

from zerosum.bench import _frame
from zerosum.bench._frame import Measure, rows, run_bench, table, thresholds
from zerosum.cli import bench as verb

TIMES = ("s", "hours", "times")  # with which the units of what a clock says begin
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("row", rows())
def test_smoke(row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = run_bench(row, "smoke", [0])
    assert record["row"] == row
    assert record["quick"]
    assert {m["name"] for m in record["measures"]} == set(thresholds()[row])
    assert all(math.isfinite(m["worst"]) for m in record["measures"])
    assert json.loads(json.dumps(record)) == record
    assert not list(tmp_path.rglob("*.json")), "a smoke run leaves no result behind"


def test_a_row_that_measures_time_says_so() -> None:
    timed = {row for row, entries in thresholds().items() for e in entries.values() if e["unit"].split()[0] in TIMES}
    assert {"speed", "scores", "intake", "dcgan"} <= timed
    for row in timed:
        assert importlib.import_module(f"zerosum.bench.{row}").DETERMINISTIC is False, row


def test_every_threshold_has_its_reason() -> None:
    for row, entries in thresholds().items():
        assert row in rows()
        for name, entry in entries.items():
            assert set(entry) == {"threshold", "unit", "better", "reason"}, f"{row}.{name}"
            assert len(entry["reason"]) > 20


@pytest.mark.parametrize(
    ("better", "values", "worst", "passes"),
    [("lower", (0.5, 0.9), 0.9, True), ("lower", (0.5, 1.1), 1.1, False), ("higher", (1.0, 3.0), 1.0, True)],
)
def test_the_worst_seed_counts(better: str, values: tuple[float, ...], worst: float, passes: bool) -> None:
    measure = Measure("m", values, "", 1.0, better)  # type: ignore[arg-type]
    assert (measure.worst, measure.passes) == (worst, passes)


def test_nan_never_passes() -> None:
    assert not Measure("m", (0.1, math.nan), "", 1.0, "lower").passes


def test_what_does_not_apply_is_not_called_passed() -> None:
    record = {"row": "r", "measures": [_plain(Measure("m", (2.0,), "x", 1.0, "lower", applies=False, note="no AMX"))]}
    assert "not judged: no AMX" in table([record])


def test_the_docs_table_is_the_measured_one() -> None:
    records = _frame.load_records(ROOT / "bench" / "results")
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == verb._listing(records) + "\n"
    for record in records:
        assert not record["quick"]
        for m in record["measures"]:
            entry = thresholds()[record["row"]][m["name"]]
            assert (m["threshold"], m["better"]) == (entry["threshold"], entry["better"]), "a threshold was moved"


def _plain(measure: Measure) -> dict:
    from dataclasses import asdict

    return asdict(measure) | {"worst": measure.worst, "passes": measure.passes}
