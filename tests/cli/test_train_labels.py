"""From a folder of labelled pictures to pictures by label, as a user goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import zerosum as zs
from tests.conftest import Blobs
from zerosum import cli
from zerosum.cli import train

SMALL = ["--resolution", "32", "--width", "2", "--z", "4", "--batch", "8", "--images", "32", "--score", "0", "--json"]


def pictures(folder: Path, num: int, rare: int = 0) -> Path:
    """`num` pictures in the subfolder cat, and `rare` in dog; without any, all lie in the folder itself."""
    for number, pixels in enumerate(Blobs(num + rare).pixels):
        place = folder / ("" if not rare else "cat" if number < num else "dog")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return folder


def test_a_class_is_asked_for_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(tmp_path / "photos", 20, rare=20)
    assert cli.main(["train", "cgan", str(photos), *SMALL, "--run", str(tmp_path / "run")]) == 0
    assert "labels: class (cat, dog)" in capsys.readouterr().err
    assert cli.main(["sample", str(tmp_path / "run"), "-n", "4", "--label", "class=dog", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["labels"] == {"class": "dog"}
    g = zs.load(tmp_path / "run")
    assert len(g.seen.rows()) == 32
    assert (g.sample(4, labels={"class": "dog"}) != g.sample(4, labels={"class": "cat"})).any()


def test_a_rare_class_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(tmp_path / "photos", 60, rare=2)
    train._say_what_there_is(zs.folder(photos, 32, progress=False))
    assert "rare: class=dog (2 of 62): expect little of it\n" in capsys.readouterr().err
    train._say_what_there_is(zs.folder(pictures(tmp_path / "even", 30, rare=30), 32, progress=False))
    assert "rare" not in capsys.readouterr().err


def test_pictures_without_labels_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = pictures(tmp_path / "photos", 20)
    assert cli.main(["train", "cgan", str(photos), *SMALL, "--run", str(tmp_path / "run")]) == 1
    assert "cgan needs labels; this data has none. Put each class in a subfolder" in capsys.readouterr().err
    assert not (tmp_path / "run" / "run.json").exists()
