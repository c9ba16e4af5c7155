"""From a folder of pictures to a judged run, as a user goes, with networks so small that it takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import zerosum as zs
from tests.conftest import Blobs
from zerosum import api, cli
from zerosum.cli import train
from zerosum.core.errors import Interrupted
from zerosum.training import trainer
from zerosum.training.distributed import Team
from zerosum.training.screen import Silent
from zerosum.training.signals import Stop

SMALL = ["--resolution", "32", "--width", "2", "--z", "4", "--batch", "8", "--images", "64", "--json"]
PLAN = zs.Plan(images=64, batch=8, score=0)
SETTINGS = {"width": 2, "z": 4}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 60 pictures in two subfolders, and one that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(Blobs(60).pixels):
        path = folder / ("left" if number % 2 else "right") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    (folder / "left" / "broken.jpg").write_bytes(b"<html>")
    return folder


@pytest.fixture(scope="module")
def trained(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on them."""
    runs = tmp_path_factory.mktemp("runs")
    assert cli.main(["train", "dcgan", str(photos), *SMALL, "--score", "50", "--runs", str(runs)]) == 0
    return runs / f"00000-dcgan-{photos.name}"


def test_the_run_holds_what_it_should(trained: Path) -> None:
    for file in ("run.json", "log.jsonl", "times.jsonl", "metrics.jsonl", "reals.png", "best.safetensors"):
        assert (trained / file).is_file(), file
    for file in ("report.html", "evolution.png", "training.mp4", "losses.png", "fakes-000000000.png"):
        assert (trained / file).is_file(), file
    info = zs.Run.open(trained).info
    assert info["finished"]
    assert info["total"] == 64
    assert info["shape"]["attributes"] == [{"name": "class", "classes": ["left", "right"]}]
    scores = zs.Run.open(trained).metrics()[-1]
    assert {"kid", "kid_random", "coverage", "verdict"} <= scores.keys()
    assert {"value", "low", "high", "floor", "pca_gaussian"} <= scores["kid"].keys()


def test_what_was_passed_over_is_said(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "dcgan", str(photos), *SMALL, "--score", "0", "--runs", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "broken.jpg" in captured.err
    result = json.loads(captured.out)
    assert Path(result["report"]).is_file()
    assert result["scores"] is None


def test_it_samples_evaluates_and_reports(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", str(trained), "-n", "4", "-o", str(tmp_path / "grid.png")]) == 0
    assert (tmp_path / "grid.png").is_file()
    assert cli.main(["report", str(trained)]) == 0
    capsys.readouterr()
    assert cli.main(["evaluate", str(trained), "--n", "60", "--judges", "random", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 60


def test_from_python(trained: Path) -> None:
    generator = zs.load(zs.Run.open(trained).best)
    assert generator.sample(5, seed=0).shape == (5, 32, 32, 3)
    assert generator.sample(5, seed=0).dtype == np.uint8
    assert 0 < generator.header.images <= 64


def test_the_same_command_finds_the_unfinished_run(tmp_path: Path) -> None:
    source = Blobs(20)
    run = zs.Run.numbered(tmp_path, "dcgan", "blobs")
    training = trainer.Training(api.build("dcgan", source, SETTINGS, 0), source, run, PLAN, Silent())
    stop = Stop()
    stop.asked = True
    with pytest.raises(Interrupted):
        training.play(stop)
    again = zs.train("dcgan", source, settings=SETTINGS, plan=PLAN, runs=tmp_path, screen=Silent())
    assert again.path == run.path
    assert again.is_finished
    third = zs.train("dcgan", source, settings=SETTINGS, plan=PLAN, runs=tmp_path, screen=Silent())
    assert third.path == run.path, "nothing is trained twice"
    other = zs.train("dcgan", source, settings=SETTINGS, plan=replace(PLAN, seed=1), runs=tmp_path, screen=Silent())
    assert other.path.name == "00001-dcgan-blobs"


def test_a_finished_run_by_name_is_left_as_it_is(trained: Path, photos: Path) -> None:
    before = (trained / "log.jsonl").read_bytes()
    assert cli.main(["train", "dcgan", str(photos), *SMALL, "--score", "50", "--run", str(trained)]) == 0
    assert (trained / "log.jsonl").read_bytes() == before
    assert cli.main(["train", "dcgan", str(photos), *SMALL, "--seed", "1", "--run", str(trained)]) == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["dcgan", "DATA", "--seed", "-1"], "seed=-1"),
        (["dcgan", "DATA", "--seed", "99999999999999999999"], "from 0 to 2^63 - 1"),
        (["dcgan", "DATA", "--score", "-5"], "score=-5: wanted 0 or more"),
        (["dcgan", "DATA", "--stop", "--score", "0"], "without scores it cannot be told when to stop"),
        (["dcgan", "DATA", "--device", "meta"], "zerosum doctor"),
        (["dcgan", "DATA", "--resolution"], "wanted one side"),
        (["dcgan", "openmoji"], "dcgan plays on pictures; openmoji holds pairs of pictures"),
        (["dcgan", "DATA", "--batch", "8", "--micro", "3"], "micro=3 does not divide batch=8"),
        (["dcgan", "DATA", "--micro", "13"], "micro=13 does not divide batch=64"),
        (["dcgan", "DATA", "--minutes", "1"], "give one of the two"),
        (["dcgan", "DATA", "--rate", "0"], "--rate 0"),
        (["dcgan", "DATA", "--device", "cuda:7"], "zerosum doctor"),
        (["dcgan", "DATA", "--resolution", "32", "32", "32"], "wanted one side"),
        (["dcgan", "DATA", "--network", "keras", "--resolution", "16"], "29 pixels"),
        (["house", "DATA", "--lazy", "0"], "--lazy 0"),
        (["dcgn", "DATA"], "did you mean 'dcgan'"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    argv: list[str], said: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(photos) if word == "DATA" else word for word in argv]
    assert cli.main(["train", *argv, "--images", "64", "--runs", str(tmp_path / "runs")]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--run", "DATA"], "lies in the data's folder"),
        (["--run", "DATA/left/run"], "lies in the data's folder"),
        (["--runs", "DATA"], "lies in the data's folder"),
        (["--run", "TMP/mine"], "letter.txt"),
    ],
)
def test_a_run_among_other_files_is_refused(
    options: list[str], said: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear ...")
    before = sorted(photos.rglob("*"))
    options = [word.replace("DATA", str(photos)).replace("TMP", str(tmp_path)) for word in options]
    assert cli.main(["train", "dcgan", str(photos), *SMALL, *options]) == 1
    assert said in capsys.readouterr().err
    assert sorted(photos.rglob("*")) == before
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_run_is_no_data(trained: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "dcgan", str(trained), *SMALL]) == 1
    said = capsys.readouterr().err
    assert f"its data was {photos}" in said
    assert "It is finished" in said
    assert cli.main(["train", "dcgan", str(trained.parent), *SMALL]) == 1
    assert f"holds runs, such as {trained}" in capsys.readouterr().err


def test_a_stopped_run_given_as_data_says_how_it_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zs.Run(tmp_path).write_info({"recipe": "0", "data": {"name": "cats"}, "command": "zerosum train cats"})
    assert cli.main(["train", str(tmp_path)]) == 1
    assert "run the same command again: zerosum train cats" in capsys.readouterr().err
    zs.Run(tmp_path).write_info({"recipe": "0", "opened": {"data": "cats", "second": "dogs"}})
    assert cli.main(["train", str(tmp_path)]) == 1
    assert "its data was cats and dogs" in capsys.readouterr().err


def test_a_run_json_of_nobody_knows_whom_stops_nothing(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "photos" / "notes").mkdir(parents=True)
    for text in ("{", "[]"):
        (tmp_path / "photos" / "notes" / "run.json").write_text(text)
        api.check("dcgan", [str(tmp_path / "photos")], SETTINGS, PLAN, None, tmp_path / "runs")


@pytest.fixture
def ended(tmp_path: Path) -> Callable[..., zs.Run]:
    """A run of 4,000 images that is over, 800 of which were drawn unless it is told otherwise."""

    def make(drawn: int = 800, **info: Any) -> zs.Run:
        run = zs.Run(tmp_path)
        run.write_info({"game": "dcgan", "total": 4000, "finished": True, **info})
        run.append("times.jsonl", {"images": drawn, "seconds": 60.0, "rate": 13.3})
        run.snapshot(drawn).write_bytes(b"")
        return run

    return make


def test_the_end_says_how_many_were_drawn(ended: Callable[..., zs.Run], capsys: pytest.CaptureFixture[str]) -> None:
    train._say_what_came_of_it(ended(4032, command="zerosum train cats"), as_json=False)
    captured = capsys.readouterr()
    assert "Done: 4,000 images in 60 seconds" in captured.err
    assert "Go longer:  zerosum train cats --minutes 30 " in captured.out


def test_a_run_that_stop_ended_says_so(ended: Callable[..., zs.Run], capsys: pytest.CaptureFixture[str]) -> None:
    train._say_what_came_of_it(ended(stopped=800), as_json=False)
    captured = capsys.readouterr()
    assert "Stopped by --stop after 800 images, in 60 seconds: nothing more was expected." in captured.err
    assert "Go longer" not in captured.out


def test_a_run_from_python_goes_longer_by_a_whole_command(
    ended: Callable[..., zs.Run], capsys: pytest.CaptureFixture[str]
) -> None:
    train._say_what_came_of_it(ended(4000), as_json=False)
    assert "Go longer:  zerosum train --minutes 30 " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "said"), [("photoz/", "photoz/: no such folder"), ("avatar", "did you mean 'avatars'")]
)
def test_misspelt_data_is_refused_before_torch_is_there(data: str, said: str) -> None:
    code = f"import sys; from zerosum.cli import main; main(['train', {data!r}]); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said in done.stderr
    assert done.returncode == 0


def test_a_file_that_is_no_zip_is_refused_by_what_it_is(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.md").write_text("# Notes")
    assert cli.main(["train", str(photos / "left" / "1.png")]) == 1
    assert f"is a picture, one of many that are wanted. Name its folder: {photos / 'left'}" in capsys.readouterr().err
    assert cli.main(["train", str(tmp_path / "notes.md")]) == 1
    assert "is a file, but no zip" in capsys.readouterr().err


def test_a_finished_run_is_found_again_and_the_end_says_what_there_is(
    trained: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "dcgan", str(photos), *SMALL[:-1], "--score", "50", "--runs", str(trained.parent)]
    assert cli.main(argv) == 0
    captured = capsys.readouterr()
    assert f"{trained}: this very run is finished" in captured.err
    assert f"{photos.name}: 60 pictures to train on; labels: class (left, right)\nThat is few" in captured.err
    assert "Done: 64 images in" in captured.err
    assert f"Report:     {trained / 'report.html'}" in captured.out
    assert "--minutes 30" in captured.out
    assert "--images" not in captured.out
    assert [path.name for path in trained.parent.iterdir()] == [trained.name]


def test_a_place_that_cannot_be_written_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert cli.main(["train", "dcgan", str(photos), *SMALL, "--runs", str(tmp_path / "file" / "runs")]) == 1
    said = capsys.readouterr().err
    assert "Choose another place" in said
    assert "Free space" not in said


def test_pictures_are_saved_as_png_alone(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sample", str(trained), "-o", str(tmp_path / "grid.jpg")]) == 1
    assert ".png" in capsys.readouterr().err


def test_the_header_names_recipe_and_data(trained: Path, photos: Path) -> None:
    run = zs.Run.open(trained)
    header = zs.load(run.best).header
    assert (header.recipe, header.data) == (run.info["recipe"], photos.name)


def test_the_command_of_several_processes_names_torchrun() -> None:
    assert train._started_by(Team()) == []
    assert train._started_by(Team(1, 2)) == ["torchrun", "--nproc-per-node", "2", "-m", "--"]


def test_two_sets_are_trained_on_judged_together_and_evaluated(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "cogan", f"{photos}:class=left", f"{photos}:class=right", *SMALL, "--score", "50"]
    assert cli.main([*argv, "--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().err
    assert f"{photos.name}-left: 30 pictures to train on" in said
    assert f"{photos.name}-right: 30 pictures to train on" in said
    (path,) = tmp_path.iterdir()
    run = zs.Run.open(path)
    assert (
        run.info["opened"] | {"data": f"{photos}:class=left", "second": f"{photos}:class=right"} == run.info["opened"]
    )
    assert run.metrics()[-1]["reference"]["n"] == 50
    assert run.path / "reals.png" in run.path.iterdir()
    before = (path / "log.jsonl").read_bytes()
    assert cli.main([*argv, "--runs", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [run.path.name], "the same command finds its run"
    assert (path / "log.jsonl").read_bytes() == before
    capsys.readouterr()
    assert cli.main(["evaluate", str(path), "--n", "60", "--judges", "random", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reference"]["n"] == 60


@pytest.mark.parametrize(
    ("sets", "game"), [(["DATA"], "house"), (["DATA:class=left", "DATA:class=right"], "cogan"), (["TABLE"], "gan")]
)
def test_without_a_game_one_is_picked_by_the_data_and_it_is_said_why(
    sets: list[str], game: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("a,b\n" + "".join(f"{i % 7},{i % 3}\n" for i in range(200)), encoding="utf-8")
    sets = [word.replace("DATA", str(photos)).replace("TABLE", str(table)) for word in sets]
    assert cli.main(["train", *sets, "--images", "64", "--score", "0", "--runs", str(tmp_path / "runs")]) == 0
    assert f"{game} plays: the data are" in capsys.readouterr().err
    assert [path.name.split("-")[1] for path in tmp_path.glob("runs/*")] == [game]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["cogan", "DATA"], "cogan plays on two sets of pictures; one is named"),
        (["dcgan", "DATA", "avatars"], "dcgan plays on pictures; two sets are named"),
        (["house", "DATA", "avatars"], "house plays on pictures; two sets are named"),
        (["cogan", "DATA", "openmoji"], "openmoji holds pairs of pictures"),
        (["cogan", "DATA:class=left", "DATA:class=rihgt"], "'class' has no class 'rihgt'; did you mean 'right'?"),
        (["cogan", "avatars", "DATA", "--channels", "1"], "avatars comes as it is"),
    ],
)
def test_a_wrong_number_or_kind_of_sets_is_refused(
    argv: list[str], said: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [word.replace("DATA", str(photos)) for word in argv]
    assert cli.main(["train", *argv, "--images", "64", "--runs", str(tmp_path / "runs")]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*"))


def test_a_misspelt_second_set_is_refused_before_torch_is_there() -> None:
    words = ["train", "cogan", "avatars", "avatar"]
    code = f"import sys; from zerosum.cli import main; main({words}); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "did you mean 'avatars'" in done.stderr
    assert done.returncode == 0
