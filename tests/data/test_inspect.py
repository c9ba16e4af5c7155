"""What inspection finds in a folder, and the advice that follows."""

from __future__ import annotations

import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.core.batch import Attribute, DataShape
from zerosum.core.errors import Refusal
from zerosum.data import advice as module
from zerosum.data import inspect as inspecting
from zerosum.data.advice import advise, kept, large_enough, shape
from zerosum.data.inspect import Inspection, inspect
from zerosum.data.pictures import Pictures


def scene(seed: int, size=(80, 60), mode="RGB") -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 255, (5, 5, 3), np.uint8)).resize(size).convert(mode)


def save(path: Path, picture: Image.Image, **settings) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **settings)
    return path


def messy(where: Path) -> Path:
    for i in range(6):
        save(where / "cat" / f"{i}.png", scene(i))
    for i in range(6, 9):
        save(where / "dog" / f"{i}.jpg", scene(i), quality=90)
    save(where / "dog" / "clear.png", Image.new("RGBA", (50, 50), (255, 0, 0, 90)))
    exif = Image.Exif()
    exif[0x0112] = 6
    save(where / "dog" / "turned.jpg", scene(20), exif=exif)
    (where / "cat" / "0 copy.png").write_bytes((where / "cat" / "0.png").read_bytes())
    save(where / "cat" / "1 again.jpg", scene(1).resize((60, 45)), quality=60)
    (where / "cat" / "empty.png").touch()
    (where / "cat" / "cut.png").write_bytes((where / "cat" / "2.png").read_bytes()[:200])
    (where / "cat" / "cut too.png").write_bytes((where / "cat" / "3.png").read_bytes()[:300])
    (where / "notes.txt").write_text("x")
    return where


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    return inspect(str(messy(tmp_path_factory.mktemp("messy"))), progress=False)


def test_counts(seen: Inspection):
    record = seen.record()
    assert record["pictures"] == 13
    assert record["formats"] == {"PNG": 8, "JPEG": 5}
    assert record["modes"] == {"RGB": 12, "RGBA": 1}
    assert record["labels"] == {"class": {"cat": 8, "dog": 5}}
    assert (record["see_through"], record["turned"], record["grey"]) == (1, 1, 0)
    assert record["width"] == {"least": 50, "median": 80, "most": 80}


def test_a_picture_lying_on_its_side_counts_as_it_stands(seen: Inspection):
    row = seen.facts.names.index("dog/turned.jpg")
    assert seen.facts.sizes[row].tolist() == [60, 80]


@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_so_it_does_in_other_formats(tmp_path: Path, kind: str):
    exif = Image.Exif()
    exif[0x0112] = 8
    save(tmp_path / f"a.{kind}", scene(1), exif=exif)
    facts = inspect(str(tmp_path), progress=False).facts
    assert (facts.sizes.tolist(), facts.turned.tolist()) == ([[60, 80]], [True])


def test_copies_and_near_duplicates(seen: Inspection):
    record = seen.record()
    assert record["copies"] == [["cat/0 copy.png", "cat/0.png"]]
    assert sorted(map(sorted, record["alike"])) == [["cat/0 copy.png", "cat/0.png"], ["cat/1 again.jpg", "cat/1.png"]]
    assert (seen.num_copies, seen.num_alike) == (1, 1)
    names = [{seen.facts.names[a], seen.facts.names[b]} for a, b in seen.pairs(5)]
    assert names == [{"cat/1 again.jpg", "cat/1.png"}, {"cat/0 copy.png", "cat/0.png"}]
    assert len(seen.pairs(1)) == 1


def test_refused_files_by_reason(seen: Inspection):
    assert seen.reasons() == [("damaged", ["cat/cut too.png", "cat/cut.png"]), ("the file is empty", ["cat/empty.png"])]


def test_pictures_for_the_sheet(seen: Inspection):
    assert seen.picture(0, 32).shape == (32, 32, 3)
    assert seen.picture(seen.facts.names.index("dog/clear.png"), 32).shape == (32, 32, 3)


def test_a_zip_is_seen_as_its_folder(tmp_path, seen: Inspection):
    folder = messy(tmp_path / "d")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    record = inspect(str(tmp_path / "d.zip"), progress=False).record()
    assert {**record, "data": ""} == {**seen.record(), "data": ""}


def test_nothing_to_see_is_refused(tmp_path):
    with pytest.raises(Refusal, match="neither a folder"):
        inspect("nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(Refusal, match="none of its 1 files"):
        inspect(str(tmp_path))
    (tmp_path / "a.png").touch()
    with pytest.raises(Refusal, match="none of its 1 pictures can be read"):
        inspect(str(tmp_path), progress=False)


def test_a_named_set_with_what_is_held_out(monkeypatch):
    pixels = np.stack([np.asarray(scene(i % 19, (40, 40), "L")) for i in range(20)])[..., None]
    shape_ = DataShape(40, 40, 1, (Attribute("kind", ("a", "b")),))
    labels = np.arange(20)[:, None] % 2
    pictures = Pictures(
        "made up", shape_, pixels, labels, fingerprint="f", rows=np.arange(16), heldout_rows=np.arange(16, 20)
    )
    monkeypatch.setattr(inspecting, "open_data", lambda *_: pictures)
    found = inspect("made-up", progress=False)
    assert found.record()["copies"] == [["made-up[0]", "made-up[19]"]]
    assert found.balance() == {"kind": {"a": 10, "b": 10}}
    assert found.facts.grey.all()
    assert found.picture(19, 24).shape == (24, 24, 3)
    assert all("export" not in (piece.command or "") for piece in advise(found))


# -------------------------------------------------------------------------------------------------------------- advice


def of_size(*sizes: tuple[int, int]) -> np.ndarray:
    return np.array(sizes, np.int64)


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([(300, 300)] * 10, (256, 256)),
        ([(300, 300)] * 8 + [(70, 70)] * 2, (64, 64)),  # two in ten would be enlarged at 96
        ([(300, 300)] * 9 + [(20, 20)], (256, 256)),
        ([(20, 20)] * 9, (32, 32)),
        ([(600, 300)] * 10, (256, 512)),
        ([(150, 225)] * 10, (192, 128)),
        ([(400, 300)] * 5 + [(300, 400)] * 5, (256, 256)),  # no one shape saves much
    ],
)
def test_shape(sizes, wanted):
    assert shape(of_size(*sizes)) == wanted


def test_kept_and_large_enough():
    assert kept(of_size((200, 100), (100, 100)), 64, 64) == pytest.approx(0.75)
    assert kept(of_size((200, 100)), 64, 128) == pytest.approx(1)
    assert large_enough(of_size((64, 64), (63, 64)), 64, 64) == 0.5


def test_the_advice_fits_what_was_seen(seen: Inspection):
    pieces = {piece.topic: piece for piece in advise(seen)}
    assert set(pieces) == {"number", "resolution", "crop", "duplicates", "transparency", "labels", "refused"}
    assert "11 different pictures: too few" in pieces["number"].text
    assert shlex.split(pieces["resolution"].command or "")[3:5] == ["--resolution", "32"]
    assert (pieces["duplicates"].command or "").endswith("--unique")
    assert "white" in pieces["transparency"].text
    assert "'dog' (5)" in pieces["labels"].text


def test_see_through_and_grey_sets_are_told_their_channels(tmp_path):
    for i in range(3):
        save(tmp_path / "clear" / f"{i}.png", Image.new("RGBA", (64 + i, 64), (i, i, i, 0)))
        save(tmp_path / "grey" / f"{i}.png", scene(i, (64, 64), "L"))
    for folder, channels in (("clear", "4"), ("grey", "1")):
        commands = [piece.command for piece in advise(inspect(str(tmp_path / folder), progress=False)) if piece.command]
        assert any(command.endswith(f"--channels {channels}") for command in commands)


def test_wide_pictures_are_told_a_wide_shape(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i} of.png", scene(i, (300, 150)))
    pieces = {piece.topic: piece for piece in advise(inspect(str(tmp_path), progress=False))}
    assert "256 x 128" in pieces["resolution"].text
    assert "--resolution 64 128" in (pieces["resolution"].command or "")
    assert "50%" in pieces["crop"].text


def test_what_another_shape_would_save_is_told(tmp_path):
    for i in range(6):
        save(tmp_path / "some" / f"{i} of.png", scene(i, (200, 150) if i % 3 else (150, 150)))
        save(tmp_path / "mixed" / f"{i} of.png", scene(i, (200, 150) if i % 2 else (150, 200)))
    crops = {}
    for folder in ("some", "mixed"):
        pieces = advise(inspect(str(tmp_path / folder), progress=False))
        crops[folder] = next(piece for piece in pieces if piece.topic == "crop")
    assert "17%" in crops["some"].text
    assert "120 x 96 would cut off" in crops["some"].text or "160 x 128 would cut off" in crops["some"].text
    assert "no other shape does better" in crops["mixed"].text
    assert crops["mixed"].command is None


def test_names_in_commands_are_quoted(tmp_path):
    folder = tmp_path / "my pictures; rm x"
    for i in range(2):
        save(folder / f"{i}.png", scene(i, (64, 64)))
    commands = [shlex.split(piece.command) for piece in advise(inspect(str(folder), progress=False)) if piece.command]
    assert commands
    assert all(str(folder) in words for words in commands)


def test_the_number_has_its_words(seen: Inspection, monkeypatch):
    said = []
    for num in (10, 500, 2000, 20_000):
        monkeypatch.setattr(Inspection, "__len__", lambda _, num=num: num)
        monkeypatch.setattr(Inspection, "num_copies", 0)
        monkeypatch.setattr(Inspection, "num_alike", 0)
        said.append(module._number(seen).text)
    assert ["too few" in said[0], "small" in said[1], "enough" in said[2], "good number" in said[3]] == [True] * 4
