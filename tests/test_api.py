"""Training from Python: what it takes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import zerosum as zs
from tests.conftest import Blobs
from zerosum import api
from zerosum.core.errors import Refusal
from zerosum.training.screen import Silent

SETTINGS = {"width": 2, "z": 4}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of 16 pictures."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, pixels in enumerate(Blobs(16).pixels):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_folders_name_is_enough(photos: Path, tmp_path: Path) -> None:
    plan = zs.Plan(images=16, batch=8, score=0)
    run = zs.train("dcgan", photos, settings=SETTINGS, plan=plan, runs=tmp_path / "runs", screen=Silent())
    assert run.is_finished
    assert run.info["opened"] == {"data": str(photos), "resolution": 64}
    assert run.info["data"]["count"] == 16


@pytest.mark.parametrize("source", [None, 3, ["a.png", "b.png"]])
def test_what_is_no_source_is_refused(source: Any, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"holds no data to train on.*zs\.folder"):
        zs.train("dcgan", source, images=8, runs=tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"minutes": -3}, "minutes=-3: wanted a number above 0"),
        ({"minutes": -3.0}, "minutes=-3: "),
        ({"minutes": float("inf")}, "minutes=inf: "),
        ({"minutes": "three"}, "minutes='three': "),
        ({"minutes": 3, "images": 64}, "minutes=3 and images=64: give one of the two"),
        ({"images": 64, "plan": zs.Plan(device="meta")}, "is not here"),
        ({"images": 64, "settings": {"widht": 3}}, "did you mean 'width'"),
        ({"images": 64, "plan": zs.Plan(device="cuda:99")}, "is not here"),
    ],
)
def test_values_are_refused_in_words_that_fit_python(wrong: Any, said: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=said):
        zs.train("dcgan", photos, runs=tmp_path / "runs", **wrong)
    assert not (tmp_path / "runs").exists()


def test_a_folder_of_other_files_is_no_run(photos: Path) -> None:
    with pytest.raises(Refusal, match="holds files, such as"):
        zs.train("dcgan", Blobs(16), images=8, run=photos)
    assert len(list(photos.iterdir())) == 16


def test_the_place_of_a_run_lies_outside_the_data(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    with pytest.raises(Refusal, match="lies in the data's folder"):
        zs.train("dcgan", ".", images=8)


def test_an_early_check_looks_at_no_picture(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()  # empty: to open it is refused
    arguments = ([str(tmp_path / "photos")], SETTINGS, zs.Plan(images=8), None, tmp_path / "runs")
    api.check("dcgan", *arguments)
    with pytest.raises(Refusal, match="no game 'dcgn'"):
        api.check("dcgn", *arguments)


def test_two_sets_are_one_source(tmp_path: Path) -> None:
    two = zs.unpaired(Blobs(20), Blobs(30, seed=2))
    plan = zs.Plan(images=16, batch=8, score=0)
    run = zs.train("cogan", two, settings=SETTINGS, plan=plan, runs=tmp_path, screen=Silent())
    assert zs.load(run.snapshots[-1]).sample(3, seed=0).shape == (3, 32, 32, 3)
    assert run.info["data"]["fingerprint"] == two.fingerprint
    with pytest.raises(Refusal, match=r"dcgan plays on pictures; blobs\+blobs holds two sets of pictures"):
        zs.train("dcgan", two, runs=tmp_path)
