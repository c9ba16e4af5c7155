"""`zerosum evaluate`, with a made-up generator and folders of made-up pictures; scores are tested with the metrics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.metrics.made_up import scenes
from tests.report.made_up import made_up_generator, made_up_run
from zerosum import cli
from zerosum.core import generator
from zerosum.core.run import Run

QUICK = ["--judges", "random", "--n", "60"]


def folder_of(pixels: np.ndarray, path: Path) -> Path:
    path.mkdir()
    for i, picture in enumerate(pixels):
        Image.fromarray(picture).save(path / f"{i:03d}.png")
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return folder_of(scenes(80, side=16), tmp_path / "photos")


@pytest.fixture
def run(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder that was trained on `photos`, with a best snapshot, played by a made-up generator."""
    path = made_up_run(tmp_path / "run", empty=True, name=str(photos)).path
    (path / "best.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(generator, "load", lambda path, device: made_up_generator())
    return path


def test_a_run_against_its_own_data(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(run), *QUICK, "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert list(scores) == ["n", "kid_random", "coverage", "reference", "verdict"]
    assert scores["n"] == 60
    assert scores["kid_random"]["low"] > 0
    for again in (run, run / "best.safetensors"):
        assert cli.main(["evaluate", str(again), *QUICK, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == scores
    assert cli.main(["evaluate", str(run), *QUICK, "--json", "--seed", "1"]) == 0
    assert json.loads(capsys.readouterr().out) != scores


def test_a_folder_of_any_tool_against_another(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = folder_of(scenes(70, seed=1, side=16), tmp_path / "made")
    assert cli.main(["evaluate", str(made), "--against", str(photos), "--resolution", "16", *QUICK]) == 0
    out = capsys.readouterr().out
    assert out.startswith("60 pictures against 60 real ones; floor: halves of the reference\n")
    for word in ("KID, random convolution", "coverage", "95 % interval", "PCA-Gaussian", "real pictures"):
        assert word in out
    assert "EfficientNet" not in out
    assert len({len(line) for line in out.splitlines()[2:5]}) == 1, "the columns stand below one another"


def test_both_judges(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(photos), "--against", str(photos), "--n", "60", "--resolution", "16"]) == 0
    assert "KID, EfficientNet-Lite0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["{photos}"], "Add --against DATA"),
        (["{photos}/none"], "no such file"),
        (["{photos}", "--against", "avatar"], "avatars"),
        (["{run}", "--resolution", "32"], "cannot be compared"),
        (["{run}", "--n", "20"], "at least 50"),
    ],
)
def test_refusals(argv: list[str], said: str, run: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [word.format(run=run, photos=photos) for word in argv]
    assert cli.main(["evaluate", *argv, "--judges", "random"]) == 1
    assert said in capsys.readouterr().err


def test_what_does_not_sample_is_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = made_up_generator()
    mute = generator.Generator(made.header)
    monkeypatch.setattr(generator, "load", lambda path, device: mute)
    assert Run(run).info["game"] == "dcgan"
    assert cli.main(["evaluate", str(run), *QUICK]) == 1
    assert "makes nothing from noise" in capsys.readouterr().err
