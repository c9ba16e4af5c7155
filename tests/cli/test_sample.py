"""`zerosum sample`, with a made-up generator; tests of whole runs stand with the trainer's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.contract.golden import LABELS
from tests.report.made_up import made_up_generator, made_up_run
from zerosum import cli
from zerosum.core import generator
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.generator import ConditionalGenerator
from zerosum.core.pictures import grid
from zerosum.games.cgan import CGAN


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder with a best snapshot, played by a made-up generator."""
    path = made_up_run(tmp_path / "run", empty=True).path
    (path / "best.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(generator, "load", lambda path: made_up_generator())
    return path


def test_a_grid_that_says_where_it_comes_from(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "grid.png"
    assert cli.main(["sample", str(run), "-n", "9", "--seed", "5", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    with Image.open(out) as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(grid(made_up_generator().sample(9, seed=5))))
        assert picture.info["seed"] == "5"
        assert picture.info["model"] == hashlib.sha256(b"weights").hexdigest()
        assert picture.info["game"] == "paint"


def test_without_a_name_it_lies_in_the_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", str(run)]) == 0
    assert (run / "samples-seed0.png").is_file()
    assert cli.main(["sample", str(run / "best.safetensors"), "--seed", "2"]) == 0
    assert (run / "samples-seed2.png").is_file()


def test_what_is_drawn_over_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grid.png"
    assert cli.main(["sample", str(run), "-o", str(out)]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["sample", str(run), "-o", str(out)]) == 0
    assert capsys.readouterr() == (f"{out}\n", f"replaced: {out}\n")


def test_a_file_that_is_no_snapshot(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", str(run / "run.json")]) == 1
    assert "run.json: not a snapshot. Wanted a run's folder" in capsys.readouterr().err


def test_separate_pictures(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", str(run), "-n", "5", "--separate", str(tmp_path / "out"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["files"] == [str(tmp_path / "out" / f"seed0-{i:05d}.png") for i in range(5)]
    wanted = made_up_generator().sample(5, seed=0)
    for i, path in enumerate(record["files"]):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), wanted[i])
            assert picture.info["index"] == str(i)
    assert not list(run.glob("samples*"))


def test_many_files_are_summed_up(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert cli.main(["sample", str(run), "-n", "5", "--separate", str(out), "-o", str(out / "all.png")]) == 0
    assert capsys.readouterr().out.splitlines() == [f"5 files in {out}", str(out / "all.png")]


def test_the_newest_snapshot_draws_before_there_is_a_best(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "best.safetensors").rename(run / "snapshot-000000064.safetensors")
    (run / "snapshot-000000128.safetensors").write_bytes(b"newer")
    assert cli.main(["sample", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == hashlib.sha256(b"newer").hexdigest()


def test_refusals(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["sample", str(run), "-n", "0"]) == 1
    assert "at least 1" in capsys.readouterr().err
    monkeypatch.undo()
    assert cli.main(["sample", str(tmp_path / "none")]) == 1
    assert "no such file" in capsys.readouterr().err
    (run / "best.safetensors").unlink()
    assert cli.main(["sample", str(run)]) == 1
    assert "no snapshot" in capsys.readouterr().err


@pytest.fixture
def told(run: Path, monkeypatch: pytest.MonkeyPatch) -> ConditionalGenerator:
    """A generator that learnt the labels class and glasses, in the place of the made-up one."""
    shape = DataShape(32, 32, 3, LABELS)
    torch.manual_seed(0)
    made = CGAN(CGAN.tiny, shape).generator().eval()
    monkeypatch.setattr(generator, "load", lambda path: made)
    return made


def test_labels_are_asked_for_and_noted(
    run: Path, told: ConditionalGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = ["--label", "glasses=yes", "--label", "class = b"]
    assert cli.main(["sample", str(run), "-n", "4", *wish, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["labels"] == {"glasses": "yes", "class": "b"}
    with Image.open(record["files"][0]) as picture:
        wanted = grid(told.sample(4, labels={"glasses": "yes", "class": "b"}))
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(wanted))
        assert picture.info["labels"] == "glasses=yes, class=b"


def test_without_labels_none_are_noted(
    run: Path, told: ConditionalGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sample", str(run), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["labels"] == {}
    with Image.open(record["files"][0]) as picture:
        assert "labels" not in picture.info


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["glases=yes"], "no label 'glases'; did you mean 'glasses'? There are: class, glasses."),
        (["hat=yes"], "no label 'hat'; known: class, glasses."),
        (["glasses=Yes"], "glasses=Yes: no such class; did you mean 'yes'? There are: no, yes."),
        (["glasses"], "--label glasses: wanted NAME=CLASS"),
        (["glasses="], "wanted NAME=CLASS"),
        (["class=a", "class=b"], "--label class comes twice, as a and b"),
    ],
)
def test_labels_that_are_refused(
    run: Path, told: ConditionalGenerator, labels: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sample", str(run), *[word for label in labels for word in ("--label", label)]]) == 1
    assert said in capsys.readouterr().err


def test_a_run_without_labels_cannot_be_told_any(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", str(run), "--label", "glasses=yes"]) == 1
    assert "paint was trained without labels and cannot be told any." in capsys.readouterr().err
    assert not list(run.glob("samples*"))


def test_truncation_is_drawn_and_noted(
    run: Path, told: ConditionalGenerator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sample", str(run), "-n", "4", "--truncation", "0.5", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["truncation"] == 0.5
    with Image.open(record["files"][0]) as picture:
        wanted = grid(told.sample(4, truncation=0.5))
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(wanted))
        assert picture.info["truncation"] == "0.5"
    assert cli.main(["sample", str(run), "--json"]) == 0
    with Image.open(json.loads(capsys.readouterr().out)["files"][0]) as picture:
        assert "truncation" not in picture.info


@pytest.mark.parametrize("psi", ["0", "1.5", "nan"])
def test_a_truncation_that_is_refused(
    run: Path, told: ConditionalGenerator, psi: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sample", str(run), "--truncation", psi]) == 1
    assert "wanted above 0 and at most 1" in capsys.readouterr().err


def test_of_a_table_it_draws_rows_in_its_own_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, folder = tmp_path / "sizes.csv", tmp_path / "run"
    numbers = np.random.default_rng(0).normal(size=(40, 2)) * (3, 0.1) + (170, 5)
    file.write_text("height,weight\n" + "\n".join(f"{a:.3f},{b:.3f}" for a, b in numbers), encoding="utf-8")
    run = ["train", "gan", str(file), "--images", "64", "--width", "8", "--run", str(folder), "--score", "0", "--json"]
    assert cli.main(run) in (0, None)
    capsys.readouterr()
    assert cli.main(["sample", str(folder), "-n", "5"]) == 0
    lines = Path(capsys.readouterr().out.strip()).read_text(encoding="utf-8").splitlines()
    assert lines[0] == '"height","weight"'
    assert [150 < float(line.split(",")[0]) < 190 for line in lines[1:]] == [True] * 5
    assert cli.main(["sample", str(folder), "-o", "rows.png"]) == 1
    assert "saved as .csv or .parquet" in capsys.readouterr().err
    assert cli.main(["sample", str(folder), "--separate", "here"]) == 1
    assert cli.main(["sample", str(folder), "--truncation", "0.5"]) == 1
    assert "--truncation are for pictures" in capsys.readouterr().err
    with pytest.raises(Refusal, match="rows"):
        generator.load(folder).sample(2)
