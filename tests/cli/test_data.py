"""`zerosum data` and `zerosum weights`."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Blobs
from zerosum.cli import main
from zerosum.core.batch import Pairs
from zerosum.data import catalog


def test_lists(capsys):
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert "avatars" in text
    assert "MIT" in text
    assert main(["data", "list", "--json"]) == 0
    assert {"avatars", "fruit"} <= set(json.loads(capsys.readouterr().out))
    assert main(["weights", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["efficientnet-lite0"]["licence"] == "Apache-2.0"
    assert main(["weights", "list"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


def test_get(capsys):
    assert main(["data", "get", "fruit", "--resolution", "32", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["pictures"] + record["heldout"] == 2054
    assert main(["weights", "get", "efficientnet-lite0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith(".pth")


def test_what_to_do_next_is_of_the_same_size(monkeypatch, capsys):
    monkeypatch.setitem(catalog.DATA, "mnist", replace(catalog.DATA["mnist"], open=lambda *_: Blobs(20)))
    for size, wanted in (
        ([], "--minutes 4"),
        (["--resolution", "28"], "--minutes 4"),
        (["--resolution", "32"], "--resolution 32 --minutes 4"),
    ):
        assert main(["data", "get", "mnist", *size]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"Next: zerosum train {Blobs(20).name} {wanted}"


def test_wrong_names_and_usage(capsys):
    assert main(["data", "get", "avatar"]) == 1
    assert "did you mean 'avatars'?" in capsys.readouterr().err
    assert main(["weights", "get", "fruit"]) == 1
    assert main(["data", "get"]) == 2
    assert main(["weights"]) == 2


def test_what_is_wrong_is_told_of_the_verb_alone(capsys):
    for argv in (["get", "mnist", "--resolutoin", "3"], ["export", "d", "out", "--resolution", "x"]):
        assert main(["data", *argv]) == 2
        told = " ".join(capsys.readouterr().err.split())
        assert f"zerosum data {argv[0]} --help" in told
        assert "zerosum data --help" not in told
    assert main(["data", "get", "--help"]) == 0
    usage = capsys.readouterr().out
    assert "[-h] NAME [--resolution N] [--file FILE]" in " ".join(usage.split())


def made_up(where: Path, num: int = 12, size=(48, 48)) -> Path:
    """Blotches of colour, with a copy and a broken file."""
    where.mkdir(parents=True)
    for i in range(num):
        random = np.random.default_rng(i)
        Image.fromarray(random.integers(0, 255, (5, 5, 3), np.uint8)).resize(size).save(where / f"{i:02d}.png")
    (where / "copy.png").write_bytes((where / "00.png").read_bytes())
    (where / "empty.png").touch()
    return where


def test_inspect_prints_and_draws(tmp_path, capsys):
    folder, out = made_up(tmp_path / "my pictures"), tmp_path / "new" / "x.png"
    assert main(["data", "inspect", str(folder), "-o", str(out)]) == 0
    text = capsys.readouterr().out
    assert "13 pictures, 1 file refused" in text
    assert "all 48 x 48" in text
    assert "1 copy of others" in text
    assert f"Drawn: {out}" in text
    with Image.open(out) as drawing:
        assert drawing.width == 2048
    assert main(["data", "inspect", str(folder), "-o", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["pictures"] == 13
    assert record["copies"] == [["00.png", "copy.png"]]
    assert record["drawing"] == str(out)


def test_the_drawing_never_lies_among_the_pictures(tmp_path, monkeypatch, capsys):
    folder = made_up(tmp_path / "pictures")
    before = sorted(folder.iterdir())
    monkeypatch.chdir(folder)
    assert main(["data", "inspect", "."]) == 0
    assert f"Drawn: {tmp_path / 'inspect.png'}" in capsys.readouterr().out
    assert main(["data", "inspect", ".", "-o", "new/x.png"]) == 1
    assert "-o new/x.png lies in .: the drawing would become a picture" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before
    monkeypatch.chdir(tmp_path)
    assert main(["data", "inspect", "pictures", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["drawing"] is None


def test_getting_pairs_names_no_game_that_cannot_play(monkeypatch, capsys):
    blobs = Blobs(20)
    blobs.name, blobs.holds = "openmoji", Pairs
    monkeypatch.setitem(catalog.DATA, "openmoji", replace(catalog.DATA["openmoji"], open=lambda *_: blobs))
    assert main(["data", "get", "openmoji"]) == 0
    text = capsys.readouterr().out
    assert text == "openmoji: 20 pairs of pictures of 32 x 32 x 3 to train on, 20 held out\n"
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["openmoji"]["holds"] == "pairs"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_commands_of_the_advice_are_understood(tmp_path, capsys, monkeypatch, mode):
    folder = made_up(tmp_path / "d", size=(96, 48))
    for file in folder.glob("[0-9]*.png"):
        Image.open(file).convert(mode).save(file)
        if mode == "RGBA":
            Image.new("RGBA", (96, 48), (int(file.stem), 9, 9, 9)).save(file)
    assert main(["data", "inspect", str(folder), "-o", str(tmp_path / "x.png"), "--json"]) == 0
    advice = json.loads(capsys.readouterr().out)["advice"]
    commands = [shlex.split(piece["command"]) for piece in advice if piece["command"]]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zerosum.cli.train._train", lambda *_: None)
    assert commands
    for command in commands:
        assert command[0] == "zerosum"
        assert main(command[1:]) == 0, command


@pytest.mark.parametrize(("number", "says"), [(499, None), (520, "about 2 independent properties")])
def test_the_latent_that_is_ample_is_told_of_enough_pictures(tmp_path, capsys, number, says):
    rows, columns = np.indices((32, 32))
    for i, (y, x) in enumerate(np.random.default_rng(0).uniform(8, 24, (number, 2))):
        blob = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 30)
        Image.fromarray(blob.astype(np.uint8)).save(tmp_path / f"{i}.bmp")
    assert main(["data", "inspect", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    texts = [piece["text"] for piece in record["advice"] if piece["topic"] == "latent"]
    assert (record["properties"] is None) == (says is None)
    assert len(texts) == (says is not None)
    assert all(says in text and "--z 16" in text for text in texts)


def test_export_split_and_pairs(tmp_path, capsys):
    folder = made_up(tmp_path / "d")
    assert main(["data", "export", str(folder), str(tmp_path / "e"), "--resolution", "16", "24", "--unique"]) == 0
    text = capsys.readouterr().out
    assert "12 pictures" in text
    assert "left out: empty.png: the file is empty" in text
    assert main(["data", "split", str(folder), str(tmp_path / "s"), "--test", "0.25", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test"] == 3
    assert main(["data", "pairs", str(folder), str(tmp_path / "e"), str(tmp_path / "p"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 12
    assert main(["data", "pairs", "--side-by-side", str(tmp_path / "e"), str(tmp_path / "h"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 12
    (tmp_path / "l.csv").write_text("00.png,00.png\n")
    assert main(["data", "pairs", *(str(tmp_path / d) for d in "deq"), "--by", str(tmp_path / "l.csv")]) == 0
    assert ": 1 pair\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["inspect", "avatar"], "did you mean 'avatars'?"),
        (["inspect", "openmoji"], "inspect looks at pictures; openmoji holds pairs of pictures"),
        (["inspect", "d", "-o", "x.jpg"], "the drawing is a .png"),
        (["export", "mnist", "out"], "mnist is a set by name"),
        (["split", "emoji", "out"], "emoji is a set by name"),
        (["pairs", "d", "out"], "Wanted `zerosum data pairs A B OUT`"),
        (["pairs", "d", "d", "out", "--side-by-side", "d"], "--side-by-side DIR OUT"),
        (["split", "d", "d/out"], "lies in"),
        (["split", "d", "out", "--test", "5"], "between 0 and 1"),
        (["export", "d", "d"], "lies in"),
        (["export", "nowhere", "out"], "no such folder"),
        (["export", "d", "out", "--resolution", "1"], "wanted 4 to 4096"),
        (["export", "d", "out", "--resolution", "8", "8", "8"], "height and width"),
    ],
)
def test_refusals(tmp_path, monkeypatch, capsys, argv, reason):
    made_up(tmp_path / "d", 2)
    monkeypatch.chdir(tmp_path)
    assert main(["data", *argv]) == 1
    assert reason in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
