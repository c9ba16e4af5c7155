"""`zerosum evaluate`, with a made-up generator and folders of made-up pictures; scores are tested with the metrics."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.metrics.made_up import scenes
from tests.metrics.test_diversity import Differs
from tests.report.made_up import made_up_generator, made_up_run
from zerosum import cli
from zerosum.cli import evaluate
from zerosum.core import generator
from zerosum.core.pictures import from_uint8, to_uint8
from zerosum.core.run import Run
from zerosum.features import efficientnet
from zerosum.features.random_conv import RandomConv
from zerosum.metrics import further

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
    for word in ("KID, random network", "Coverage", "95 % interval", "PCA-Gaussian", "real pictures"):
        assert word in out
    assert "ImageNet" not in out
    assert len({len(line) for line in out.splitlines()[2:5]}) == 1, "the columns stand below one another"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return folder_of(scenes(60, seed=2, side=16), tmp_path / "made")


def test_both_judges(photos: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(made), "--against", str(photos), "--n", "60", "--resolution", "16"]) == 0
    assert "KID, ImageNet network" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["{photos}"], "Add --against DATA"),
        (["{photos}/none"], "no such file"),
        (["{photos}", "--against", "avatar"], "avatars"),
        (["{run}", "--resolution", "32"], "cannot be compared"),
        (["{run}", "--n", "20"], "at least 50"),
        (["{run}", "--n", "-5"], "--n: -5 pictures are too few"),
        (["{photos}", "--against", "{photos}", "--device", "cuda:99"], "--device cuda:99 is not here"),
        (
            ["{photos}", "--against", "{photos}/..", "--resolution", "16"],
            "{photos} against {photos}/..: the same pictures on both sides",
        ),
        (["{run}", "--versus", "{photos}"], "{photos} against {photos}: the same pictures on both sides"),
        (["{run}", "--pairs", "pairs.txt"], "Name it pairs.png"),
        (
            ["{made}", "--against", "{photos}", "--resolution", "32", "48", "64"],
            "wanted one side, or height and width",
        ),
        (["{photos}", "--against", "openmoji"], "the judges look at pictures; openmoji holds pairs of pictures"),
        (["{run}", "--seed", "99999999999999999999"], "from 0 to 2^63 - 1"),
        (["{run}", "--pairs", "{photos}/pairs.png"], "lies in {photos}"),
        (["{photos}", "--against", "fruit", "--pairs", "{photos}/pairs.png"], "lies in {photos}"),
        (["{run}", "--versus", "{photos}/none"], "no such file"),
        (["{run}", "--n", "90", "--versus", "{made}"], "Add --n 60"),
        (["{run}", "--pairs", "{photos}/none/pairs.png"], "no such folder"),
    ],
)
def test_refusals(
    argv: list[str], said: str, run: Path, photos: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [word.format(run=run, photos=photos, made=made) for word in argv]
    assert cli.main(["evaluate", *argv, "--judges", "random"]) == 1
    assert said.format(photos=photos) in capsys.readouterr().err


def test_no_judge_is_refused(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", str(photos), "--against", str(photos), "--judges"]) == 1
    assert "no judge is named" in capsys.readouterr().err


def test_what_is_wrong_is_told_before_a_picture_is_made(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "_maker", lambda *_: pytest.fail("a generator was loaded"))
    for wrong in (["--n", "10"], ["--judges"], ["--device", "cuda:99"], ["--seed", "-1"]):
        assert cli.main(["evaluate", str(run), *wrong]) == 1


def test_the_device_may_be_left_to_the_machine(photos: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [str(made), "--against", str(photos), "--resolution", "16", *QUICK, "--json"]
    assert cli.main(["evaluate", *argv, "--device", "auto"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert cli.main(["evaluate", *argv]) == 0
    if not torch.cuda.is_available():
        assert json.loads(capsys.readouterr().out) == scores


def test_what_does_not_sample_is_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = made_up_generator()
    mute = generator.Generator(made.header)
    monkeypatch.setattr(generator, "load", lambda path, device: mute)
    assert Run(run).info["game"] == "dcgan"
    assert cli.main(["evaluate", str(run), *QUICK]) == 1
    assert "makes nothing from noise" in capsys.readouterr().err


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eyes that need no weights in the place of those that do."""
    monkeypatch.setattr(further.efficientnet, "load", lambda device: RandomConv())
    monkeypatch.setattr(further.lpips, "load", lambda device: Differs())


def test_all_scores_and_what_few_pictures_do_not_allow(
    run: Path, stand_ins: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["evaluate", str(run), *QUICK, "--all"]) == 0
    out = capsys.readouterr().out
    for said in ("fid: not told: ", "prdc: not told: ", "memorisation: not told: ", "classes: not told: "):
        assert said in out
    assert "Diversity (LPIPS of 30 pairs)" in out
    assert cli.main(["evaluate", str(run), *QUICK, "--scores", "diversity", "fid", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert list(scores)[-2:] == ["fid", "diversity"]
    assert "mostly bias" in scores["fid"]["refused"]


def test_the_nearest_pairs_are_drawn(tmp_path: Path, stand_ins: None, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = scenes(620, side=16)
    photos, copies = folder_of(pixels, tmp_path / "many"), folder_of(pixels[:90], tmp_path / "copies")
    command = ["evaluate", str(copies), "--against", str(photos), "--resolution", "16", "--judges", "random"]
    assert cli.main([*command, "--pairs", str(tmp_path / "pairs.png"), "--scores", "prdc"]) == 0
    out, err = capsys.readouterr()
    assert f"Drawn: {tmp_path / 'pairs.png'}" in err
    assert "Copies? Nearer to training pictures" in out
    assert "duplicates:" in out
    assert "precision" in out
    drawn = np.asarray(Image.open(tmp_path / "pairs.png"))[18:]  # less the titles
    middle = drawn.shape[1] // 2
    left, right = drawn[:, :middle].astype(int), drawn[:, middle:].astype(int)
    assert np.abs(left[:, 2:90] - right[:, 1:89]).mean() < 3


def test_pairs_that_cannot_be_drawn_are_said_to_be_missing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = tmp_path / "pairs.png"
    assert cli.main(["evaluate", str(run), *QUICK, "--pairs", str(pairs)]) == 0
    err = capsys.readouterr().err
    assert f"Not drawn: {pairs}: photos holds back 0 of 80 pictures, wanted 50" in err
    assert "of 600 pictures it is mostly enough" in err
    assert not pairs.exists()


def test_versus_says_which_is_better(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = folder_of(scenes(70, seed=1, side=16), tmp_path / "good")
    dark = folder_of(scenes(70, seed=1, side=16) // 3, tmp_path / "dark")
    command = ["evaluate", str(good), "--versus", str(dark), "--against", str(photos), "--resolution", "16", *QUICK]
    assert cli.main(command) == 0
    assert f"Versus {dark}: {good} is better by the untrained judge and coverage." in capsys.readouterr().out
    assert cli.main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["versus"]
    assert found["kid_random"]["high"] < 0
    assert found["scores"]["kid_random"]["value"] > 0


def washed_out_copies(pixels: np.ndarray, num: int) -> np.ndarray:
    """The mean picture, moved a few steps until EfficientNet sees in copy i what it sees in picture i."""
    eyes, x = efficientnet.load(bf16=False), from_uint8(pixels)
    with torch.no_grad():
        wanted = eyes._pooled(x[:num])
    made = x.mean(0).repeat(num, 1, 1, 1).requires_grad_()
    adam = torch.optim.Adam([made], 0.02)
    for _ in range(6):
        adam.zero_grad()
        (eyes._pooled(made.clamp(-1, 1)) - wanted).square().sum().backward()
        adam.step()
    return to_uint8(made.detach())


def test_what_fools_the_imagenet_judge_does_not_fool_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A generator whose judge sat on ImageNet features collapsed to washed-out copies, and ImageNet judges ranked it
    best. Here they do so again, before honest pictures at half the resolution."""
    pixels = scenes(120)
    coarse = F.interpolate(F.avg_pool2d(from_uint8(scenes(50, seed=1)), 2), scale_factor=2)
    sets = {"fooling": washed_out_copies(pixels, 50), "coarse": to_uint8(coarse), "photos": pixels}
    folders = {name: folder_of(made, tmp_path / name) for name, made in sets.items()}
    scores = {}
    for name in ("fooling", "coarse"):
        command = ["evaluate", str(folders[name]), "--against", str(folders["photos"]), "--resolution", "32", "--json"]
        assert cli.main(command) == 0
        scores[name] = json.loads(capsys.readouterr().out)
    fooling, honest = scores["fooling"], scores["coarse"]
    assert fooling["kid"]["high"] < honest["kid"]["low"], "the ImageNet judge is fooled"
    assert fooling["kid_random"]["low"] > honest["kid_random"]["high"]
    assert fooling["coverage"]["value"] < 0.6 * honest["coverage"]["value"]
    assert fooling["verdict"]["ratio"] > 10 * honest["verdict"]["ratio"]
    assert "The judges disagree, and the worst one leads: to the untrained judge" in fooling["verdict"]["text"]
    assert "covers less of the data" in fooling["verdict"]["text"]
