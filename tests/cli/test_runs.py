"""`zerosum runs`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.made_up import made_up_run
from zerosum import cli
from zerosum.core.run import Run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A finished run, a stopped one, one that has just begun, and one whose run.json is damaged."""
    made_up_run(tmp_path / "00000-dcgan-blobs")
    made_up_run(tmp_path / "00001-dcgan-blobs", finished=False)
    made_up_run(tmp_path / "00002-dcgan-cats", finished=False, empty=True, name="cats")
    made_up_run(tmp_path / "00003-dcgan-blobs", empty=True)
    (tmp_path / "00003-dcgan-blobs" / "run.json").write_text("{")
    (tmp_path / "notes").mkdir()
    return tmp_path


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    assert cli.main(["runs", str(folder), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_each_run_says_how_far_it_came(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = listed(runs, capsys)
    assert [(e["state"], e["images"], e["total"], e["data"]) for e in entries] == [
        ("finished", 2560, 2560, "blobs"),
        ("stopped", 2560, 2560, "blobs"),
        ("stopped", 0, 2560, "cats"),
        ("unreadable", 0, 0, "?"),
    ]
    assert entries[0]["next"] == str(runs / "00000-dcgan-blobs" / "report.html")
    assert entries[0]["scores"] == {"kid": 0.03, "kid_random": 0.06, "coverage": 0.6}
    assert entries[1]["next"] == "zerosum train dcgan 'my photos' --minutes 4"
    assert "cannot be read" in entries[3]["next"]


def test_a_run_in_which_a_process_trains_is_training(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys, zerosum as zs\nwith zs.Run(sys.argv[1]).locked(): print('held', flush=True), sys.stdin.read()"
    held = subprocess.Popen(
        [sys.executable, "-c", code, str(runs / "00001-dcgan-blobs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with held:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        assert [e["state"] for e in listed(runs, capsys)][:3] == ["finished", "training", "stopped"]
        held.communicate("")
    assert listed(runs, capsys)[1]["state"] == "stopped"
    with Run(runs / "00001-dcgan-blobs").locked():
        pass  # the list has left it free


def test_a_run_that_stop_ended_says_so(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(runs / "00000-dcgan-blobs")
    run.write_info(run.info | {"total": 4000, "stopped": 2560})
    entry = listed(run.path, capsys)[0]
    assert (entry["state"], entry["early"], entry["images"], entry["total"]) == ("finished", True, 2560, 4000)
    assert cli.main(["runs", str(run.path)]) == 0
    assert "finished, by --stop after 2,560 of 4,000 images: nothing more was expected" in capsys.readouterr().out


def test_people_read_what_to_do_next(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["runs", str(runs)]) == 0
    said = capsys.readouterr().out
    assert "dcgan on blobs: finished, 2,560 of 2,560 images, 2" in said
    assert f"Report: {runs / '00000-dcgan-blobs' / 'report.html'}" in said
    assert "Better than PCA-Gaussian" in said
    assert "To go on: zerosum train dcgan 'my photos' --minutes 4" in said
    assert cli.main(["runs", str(runs / "00002-dcgan-cats")]) == 0
    said = capsys.readouterr().out
    assert "cats: stopped" in said
    assert "blobs" not in said


def test_where_there_are_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["runs"]) == 0
    said = capsys.readouterr().out
    assert "no runs yet. Begin with" in said
    assert "zerosum runs DIR" in said
    (tmp_path / "photos").mkdir()
    assert cli.main(["runs", "photos"]) == 0
    assert capsys.readouterr().out.startswith("no runs in photos.")
    assert listed(tmp_path, capsys) == []
    assert cli.main(["runs", "elsewhere"]) == 1
    assert "no such folder" in capsys.readouterr().err


def test_it_does_not_import_torch(runs: Path) -> None:
    code = f"import sys; from zerosum.cli import main; main(['runs', {str(runs)!r}]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
