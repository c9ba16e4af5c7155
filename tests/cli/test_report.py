"""`zerosum report`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.report.made_up import made_up_run
from zerosum import cli
from zerosum.report import charts


def test_it_prints_the_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "DPI", 30)
    run = made_up_run(tmp_path)
    assert cli.main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{run.path / 'report.html'}\n"
    made_up_run(tmp_path / "empty", empty=True)
    assert cli.main(["report", str(tmp_path / "empty"), "--json"]) == 0
    assert Path(json.loads(capsys.readouterr().out)["report"]).is_file()


def test_it_refuses_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(tmp_path / "none")]) == 1
    assert cli.main(["report", str(tmp_path)]) == 1
    assert "no such folder" in (said := capsys.readouterr().err)
    assert "not a run's folder" in said
