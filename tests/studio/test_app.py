"""What the studio tells of runs: the list, the charts, the pictures, the faults."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.report.made_up import made_up_run
from zerosum.core.run import Run
from zerosum.studio import watched
from zerosum.studio.app import build
from zerosum.studio.watched import name_of


@pytest.fixture
def folder(runs: Path, tmp_path: Path) -> Path:
    """The runs, to be changed at will."""
    return Path(shutil.copytree(runs, tmp_path / "runs"))


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def client(folder: Path, faults: list[str]) -> Iterator[TestClient]:
    with TestClient(build(folder, say=faults.append)) as opened:
        yield opened
    assert faults == []


def at(folder: Path, name: str) -> str:
    return f"/api/runs/{name_of(folder / name)}"


def error(answer: httpx2.Response) -> str:
    assert "Traceback" not in answer.text
    return answer.json()["error"]


def test_the_list_tells_each_runs_state(client: TestClient, folder: Path) -> None:
    found = client.get("/api/runs").json()
    assert [(e["folder"][:5], e["state"], e["images"], e["newest"], e["draws"]) for e in found["runs"]] == [
        ("00003", "unreadable", 0, None, False),
        ("00002", "stopped", 0, None, False),
        ("00001", "stopped", 2560, 2560, False),
        ("00000", "finished", 2560, 2560, True),
    ]
    assert "cannot be read" in found["runs"][0]["says"]
    assert "Better than PCA-Gaussian" in found["runs"][3]["verdict"]
    assert found["jobs"] == []
    with Run(folder / "00001-dcgan-blobs").locked():
        assert client.get("/api/runs").json()["runs"][2]["state"] == "training"


def test_the_details_of_a_run(client: TestClient, folder: Path) -> None:
    found = client.get(at(folder, "00000-dcgan-blobs")).json()
    assert found["grids"] == [0, 640, 1280, 1920, 2560]
    assert found["findings"][0]["kind"] == "mode_collapse"
    assert found["outlook"] == "Worth going on."
    assert "evidence" not in found["findings"][0]
    assert client.get(at(folder, "00003-dcgan-blobs")).json()["state"] == "unreadable"


def test_the_scores_come_with_interval_floor_and_baseline(client: TestClient, folder: Path) -> None:
    scores = client.get(at(folder, "00000-dcgan-blobs") + "/charts").json()["scores"]
    assert [score["name"] for score in scores] == ["kid", "kid_random", "coverage"]
    assert scores[0]["points"][1] == {"images": 2560, "value": 0.03, "low": pytest.approx(0.02), "high": 0.04}
    assert (scores[0]["limit_name"], scores[0]["limit"], scores[0]["gaussian"]) == ("floor", 0.001, 0.05)
    assert (scores[2]["limit_name"], scores[2]["points"][0]["low"]) == ("ceiling", None)


def test_a_log_of_many_lines_is_thinned_and_keeps_its_peaks(client: TestClient, folder: Path) -> None:
    log = folder / "00000-dcgan-blobs" / "log.jsonl"
    lines = [{"images": 32 * i, "rounds": i, "G": 1.0 if i != 54_321 else 77.0} for i in range(1, 100_001)]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    answer = client.get(at(folder, "00000-dcgan-blobs") + "/charts")
    found = answer.json()["log"]
    assert len(found["images"]) == len(found["notes"]["G"]["mean"]) == watched.POINTS
    assert found["images"][-1] == 3_200_000
    assert max(found["notes"]["G"]["high"]) == 77.0
    assert max(found["notes"]["G"]["mean"]) == pytest.approx(1 + 76 / 250)
    assert len(answer.content) < 40_000


def test_what_is_written_later_is_read_on_and_what_is_cut_off_forgotten(client: TestClient, folder: Path) -> None:
    run, charts = Run(folder / "00001-dcgan-blobs"), at(folder, "00001-dcgan-blobs") + "/charts"
    assert client.get(charts).json()["log"]["images"][-1] == 2560
    run.append("log.jsonl", {"images": 2624, "rounds": 41, "G": 0.5, "new": 1.0})
    with (run.path / "log.jsonl").open("a") as file:
        file.write('{"images": 2688, "rou')  # it is being written
    found = client.get(charts).json()["log"]
    assert found["images"][-1] == 2624
    assert found["notes"]["new"]["mean"] == [None] * 40 + [1.0]
    run.forget_after(1280)
    assert client.get(charts).json()["log"]["images"][-1] == 1280


def test_pictures(client: TestClient, folder: Path) -> None:
    run = at(folder, "00000-dcgan-blobs")
    kept = (folder / "00000-dcgan-blobs" / "fakes-000000640.png").read_bytes()
    assert client.get(f"{run}/grids/640").content == kept
    assert client.get(f"{run}/reals").headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(client.get(f"{run}/thumbnail").content)) as small:
        assert (small.format, max(small.size)) == ("WEBP", 256)


@pytest.mark.parametrize("path", ["", "/charts", "/thumbnail", "/grids/0", "/reals"])
def test_an_unknown_run_is_told_so(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/runs/0123456789ab{path}")
    assert (answer.status_code, error(answer)) == (404, "There is no such run here. It may have been moved or deleted.")


def test_what_a_run_lacks_is_told(client: TestClient, folder: Path) -> None:
    for path in ("/grids/641", "/grids/-1", "/grids/99999999999999999999"):
        answer = client.get(at(folder, "00000-dcgan-blobs") + path)
        assert (answer.status_code, error(answer)) == (409, "There is no such picture in this run.")
    assert "no such picture" in error(client.get(at(folder, "00002-dcgan-cats") + "/thumbnail"))
    assert "kept no real pictures" in error(client.get(at(folder, "00002-dcgan-cats") + "/reals"))
    assert client.get(at(folder, "00002-dcgan-cats") + "/charts").json() == {
        "log": {"images": [], "notes": {}},
        "scores": [],
    }
    assert client.post(at(folder, "00000-dcgan-blobs") + "/stop").status_code == 409
    assert "is finished" in error(client.post(at(folder, "00000-dcgan-blobs") + "/resume"))


ODD = ["[]", "7", "null", '"x"', '{"total": "many"}', '{"data": "blobs"}', '{"data": [1]}', '{"shape": 3}',
       '{"total": 1e400}', '{"game": ["x"], "total": -5, "shape": []}', "[" * 100_000, "\x00\xff"]  # fmt: skip


@pytest.mark.parametrize("info", ODD)
def test_an_odd_run_is_shown_as_such_and_the_others_stay(client: TestClient, folder: Path, info: str) -> None:
    (folder / "00001-dcgan-blobs" / "run.json").write_text(info)
    found = client.get("/api/runs").json()["runs"]
    assert len(found) == 4
    assert found[2]["state"] in ("unreadable", "stopped")
    for path in ("", "/charts", "/thumbnail"):
        assert client.get(at(folder, "00001-dcgan-blobs") + path).status_code in (200, 409)
    assert client.post(at(folder, "00001-dcgan-blobs") + "/resume").status_code == 409


DAMAGED = [b"", b"\xff\x00{", b"[]\n", b'{"images": 1, "kid": 3, "findings": 7, "G": NaN}\n',
           b'{"images": 1, "findings": [1, {}], "kid": {"value": "x"}, "verdict": 3}\n',
           b'{"images": 3, "G": 1' + b"0" * 400 + b"}\n",
           b'{"images": -1e5}\n{"images": 99999999999999999999, "rate": 1e999}\n']  # fmt: skip


@pytest.mark.parametrize("file", ["log.jsonl", "metrics.jsonl", "times.jsonl", "diagnosis.json", "fakes-000002560.png"])
@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_files_lead_to_no_fault(client: TestClient, folder: Path, file: str, content: bytes) -> None:
    (folder / "00001-dcgan-blobs" / file).write_bytes(content)
    assert client.get("/api/runs").status_code == 200
    for path in ("", "/charts"):
        assert client.get(at(folder, "00001-dcgan-blobs") + path).status_code == 200
    assert client.get(at(folder, "00001-dcgan-blobs") + "/thumbnail").status_code in (200, 409)


def test_a_fault_inside_is_a_sentence(folder: Path, faults: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: watched.Watched) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(watched.Watched, "charts", failing)
    answer = TestClient(build(folder, say=faults.append)).get(at(folder, "00000-dcgan-blobs") + "/charts")
    assert (answer.status_code, error(answer)) == (500, "Something went wrong here; the terminal says what.")
    assert "ZeroDivisionError: inside" in faults[0]


def test_runs_that_come_and_go_are_seen(client: TestClient, folder: Path) -> None:
    made_up_run(folder / "00009-dcgan-new", empty=True)
    assert client.get("/api/runs").json()["runs"][0]["folder"] == "00009-dcgan-new"
    shutil.rmtree(folder / "00009-dcgan-new")
    assert len(client.get("/api/runs").json()["runs"]) == 4
    shutil.rmtree(folder)
    assert client.get("/api/runs").json()["runs"] == []


def test_the_server_does_not_import_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zerosum.studio.serve import opened; "
        f"opened(Path({str(folder)!r}), port=0).listener.close(); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
