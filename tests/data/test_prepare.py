"""Export, split and pairs: what comes out, what stays on one side, and that the originals stay as they are."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.core.errors import Refusal
from zerosum.data import prepare
from zerosum.data.folder import folder
from zerosum.data.prepare import export, halve, new_folder, pair, split
from zerosum.data.shelf import gather


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))


def scene(seed: int, size=(40, 30), mode="RGB") -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 255, (5, 5, 3), np.uint8)).resize(size).convert(mode)


def save(path: Path, picture: Image.Image, **settings) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **settings)
    return path


def labelled(where: Path, num: int = 40, size=(40, 30)) -> Path:
    """Cats and a third as many dogs."""
    for i in range(num):
        save(where / ("dog" if i % 4 == 0 else "cat") / f"{i:02d}.png", scene(i, size))
    return where


def files(where: Path) -> dict[str, bytes]:
    return {
        path.relative_to(where).as_posix(): path.read_bytes() for path in sorted(where.rglob("*")) if path.is_file()
    }


# -------------------------------------------------------------------------------------------------------------- export


def test_export_gives_what_training_would_see(tmp_path):
    source = labelled(tmp_path / "d", 8)
    before = files(source)
    made = export(source, tmp_path / "out", (16, 24), progress=False)
    assert made.parts == {"pictures": 8}
    assert files(source) == before
    one, other = folder(source, (16, 24), progress=False), folder(tmp_path / "out", (16, 24), progress=False)
    assert other.shape == one.shape
    rows = np.arange(8)
    assert (other.pixels(rows) == one.pixels(rows)).all()
    assert (other.labels(rows) == one.labels(rows)).all()
    listing = json.loads((tmp_path / "out" / "dataset.json").read_text())["labels"]
    assert sorted(listing)[0] == ["cat/01.png", 0]
    assert {code for name, code in listing if name.startswith("dog")} == {1}


def test_export_of_several_labels_and_of_none(tmp_path):
    for name in "abcd":
        save(tmp_path / "d" / f"{name}.jpg", scene(ord(name)))
    export(tmp_path / "d", tmp_path / "plain", 16, progress=False)
    assert json.loads((tmp_path / "plain" / "dataset.json").read_text()) == {"labels": None}
    assert not (tmp_path / "plain" / "labels.csv").exists()
    (tmp_path / "d" / "labels.csv").write_text("file,size,hue\na.jpg,big,red\nb.jpg,big,blue\nc.jpg,small,red\n")
    made = export(tmp_path / "d", tmp_path / "out", 16, progress=False)
    assert made.refused == [("d.jpg", "labels.csv has no label for it")]
    vectors = dict(json.loads((tmp_path / "out" / "dataset.json").read_text())["labels"])
    assert vectors == {"a.png": [1, 0, 0, 1], "b.png": [1, 0, 1, 0], "c.png": [0, 1, 0, 1]}
    assert (tmp_path / "out" / "labels.csv").read_text().splitlines()[1] == "a.png,big,red"


def test_export_leaves_out_the_broken_and_with_unique_the_copies(tmp_path):
    source = labelled(tmp_path / "d", 8)
    (source / "cat" / "copy.png").write_bytes((source / "cat" / "01.png").read_bytes())
    (source / "only" / "bad").mkdir(parents=True)
    (source / "only" / "bad" / "cut.png").write_bytes((source / "cat" / "01.png").read_bytes()[:99])
    (source / "cat" / "drawing.svg").write_text("<svg/>")
    made = export(source, tmp_path / "out", 16, unique=True, progress=False)
    reasons = dict(made.refused)
    assert made.parts == {"pictures": 8}
    assert reasons["cat/copy.png"] == "a copy of cat/01.png"
    assert reasons["only/bad/cut.png"].startswith("damaged")
    assert "drawing" in reasons["cat/drawing.svg"]
    assert not (tmp_path / "out" / "only").exists()
    assert export(source, tmp_path / "all", 16, progress=False).parts == {"pictures": 9}


def test_unique_keeps_the_original_and_leaves_nothing_that_became_the_same(tmp_path):
    data = save(tmp_path / "d" / "000.png", scene(0)).read_bytes()
    (tmp_path / "d" / "000 copy.png").write_bytes(data)
    save(tmp_path / "d" / "000 again.png", scene(0), compress_level=0)  # other bytes, the same pixels
    save(tmp_path / "d" / "111.png", scene(1))
    made = export(tmp_path / "d", tmp_path / "out", (16, 24), unique=True, progress=False)
    assert sorted(path.name for path in made.out.glob("*.png")) == ["000.png", "111.png"]
    assert made.refused == [
        ("000 again.png", "at 24 x 16 the same as 000.png"),
        ("000 copy.png", "a copy of 000.png"),
    ]


@pytest.mark.parametrize(("kind", "channels", "mode"), [("png", 4, "RGBA"), ("jpg", 1, "L"), ("webp", 4, "RGBA")])
def test_export_in_other_formats(tmp_path, kind, channels, mode):
    save(tmp_path / "d" / "a.png", Image.new("RGBA", (20, 20), (200, 100, 50, 255)))
    made = export(tmp_path / "d", tmp_path / "out", 16, kind=kind, channels=channels, progress=False)
    with Image.open(made.out / f"a.{kind}") as picture:
        assert (picture.convert(mode).size, picture.mode in (mode, "RGB")) == ((16, 16), True)
        if kind != "jpg":
            assert picture.convert("RGBA").getpixel((3, 3)) == (200, 100, 50, 255)


def test_export_refuses_what_cannot_be(tmp_path):
    save(tmp_path / "d" / "a.png", scene(0))
    with pytest.raises(Refusal, match="see-through"):
        export(tmp_path / "d", tmp_path / "out", 16, kind="jpg", channels=4)
    with pytest.raises(Refusal, match="channels"):
        export(tmp_path / "d", tmp_path / "out", 16, channels=5)
    with pytest.raises(Refusal, match="wanted png, jpg, webp"):
        export(tmp_path / "d", tmp_path / "out", 16, kind="gif")
    (tmp_path / "d" / "a.png").write_bytes(b"")
    with pytest.raises(Refusal, match=r"a\.png: the file is empty"):
        export(tmp_path / "d", tmp_path / "out", 16, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["d"]


def test_equal_stems_and_names_that_lead_out_of_a_zip(tmp_path):
    data = save(tmp_path / "a.png", scene(0)).read_bytes()
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for name in ("x/1.png", "x/1.PNG", "../../evil.png", 'x/a:"b".png'):
            archive.writestr(name, data)
    made = export(tmp_path / "d.zip", tmp_path / "deep" / "out", 16, progress=False)
    inside = set(files(tmp_path / "deep" / "out")) - {"labels.csv", "dataset.json"}
    assert len(inside) == made.parts["pictures"]
    assert {"x/1.png", "x/1-2.png", "x/a__b_.png"} <= inside
    assert not list(tmp_path.glob("evil*"))
    assert not list((tmp_path / "deep").glob("*evil*"))


# --------------------------------------------------------------------------------------------------------- new folders


def test_new_folder_refuses_to_overwrite_or_to_mix(tmp_path):
    source = labelled(tmp_path / "d", 4)
    before = files(tmp_path)
    for out in (source, source / "new", tmp_path, source / "cat" / "01.png", tmp_path / "e" / ".." / "d"):
        with pytest.raises(Refusal, match=r"not empty|lies in|is a file"):
            export(source, out, 16, progress=False)
    os.symlink(source, tmp_path / "link")
    with pytest.raises(Refusal, match="lies in"):
        export(source, tmp_path / "link" / "new", 16, progress=False)
    assert files(source) == {name.removeprefix("d/"): data for name, data in before.items()}


def test_new_folder_is_whole_or_not_there(tmp_path):
    (tmp_path / "empty").mkdir()
    for out in (tmp_path / "out", tmp_path / "empty"):
        with contextlib.suppress(KeyboardInterrupt), new_folder(out) as making:
            (making / "a").touch()
            raise KeyboardInterrupt
        assert [path.name for path in tmp_path.iterdir()] == ["empty"]
        assert not any((tmp_path / "empty").iterdir())
    with new_folder(tmp_path / "empty") as making:
        (making / "a").touch()
    assert files(tmp_path) == {"empty/a": b""}


# --------------------------------------------------------------------------------------------------------------- split


def test_split_copies_each_picture_once_and_each_class_gives_its_share(tmp_path):
    source = labelled(tmp_path / "d")
    before = files(source)
    made = split(source, tmp_path / "out", 0.2, progress=False)
    assert made.parts == {"train": 32, "test": 8}
    train, test = (files(tmp_path / "out" / side) for side in ("train", "test"))
    table = test.pop("labels.csv").decode().splitlines()
    train.pop("labels.csv")
    assert {**train, **test} == before == files(source)
    assert len(train) + len(test) == 40
    assert sum(name.startswith("dog") for name in test) == 2
    assert table[0] == "file,class"
    assert {tuple(line.split(",")) for line in table[1:]} == {(name, name[:3]) for name in test}


def test_split_goes_by_content_and_seed_not_by_name(tmp_path):
    source = labelled(tmp_path / "d")
    for i, path in enumerate(sorted(source.rglob("*.png"), reverse=True)):
        target = tmp_path / "renamed" / path.parent.name / f"{i}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for place in (source, tmp_path / "renamed"):
        split(place, tmp_path / f"{place.name}-out", 0.2, progress=False)
    split(source, tmp_path / "other", 0.2, seed=1, progress=False)
    contents = [
        set(files(tmp_path / out / "test").values()) - {(tmp_path / out / "test" / "labels.csv").read_bytes()}
        for out in ("d-out", "renamed-out", "other")
    ]
    assert contents[0] == contents[1] != contents[2]


def test_what_is_alike_stays_on_one_side(tmp_path):
    source = labelled(tmp_path / "d", size=(160, 120))
    for i in range(0, 40, 2):
        original = source / ("dog" if i % 4 == 0 else "cat") / f"{i:02d}.png"
        (source / "cat" / f"{i:02d} copy.png").write_bytes(original.read_bytes())
        save(source / "dog" / f"{i:02d} again.jpg", Image.open(original).resize((100, 75)), quality=70)
    made = split(source, tmp_path / "out", 0.3, progress=False)
    sides = [{path.name[:2] for path in (tmp_path / "out" / side).rglob("*.*") if path.suffix != ".csv"}
             for side in ("train", "test")]  # fmt: skip
    assert not sides[0] & sides[1]
    assert sum(made.parts.values()) == 80
    assert 21 <= made.parts["test"] <= 27


def test_split_links_on_request(tmp_path):
    source = labelled(tmp_path / "d", 12)
    split(source, tmp_path / "linked", 0.25, link=True, progress=False)
    split(source, tmp_path / "copied", 0.25, progress=False)
    counts = {out: {p.stat().st_nlink for p in (tmp_path / out).rglob("*.png")} for out in ("linked", "copied")}
    assert counts == {"linked": {2}, "copied": {1}}
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for name, data in files(source).items():
            archive.writestr(name, data)
    assert split(tmp_path / "d.zip", tmp_path / "zip", 0.25, link=True, progress=False).parts["test"] == 3


def test_split_keeps_the_names_that_can_be_kept_and_tells_the_others(tmp_path):
    source = labelled(tmp_path / "d", 8)
    data = (source / "cat" / "01.png").read_bytes()
    for name in ("cat/what? a:b.png", "cat/A.png", "cat/a.png"):
        (source / name).write_bytes(data)
    made = split(source, tmp_path / "out", 0.3, progress=False)
    kept = {name.partition("/")[2] for name in files(made.out)}
    assert "cat/what? a:b.png" in kept
    assert made.notes == ("1 renamed: cat/a.png is now cat/a-2.png",)


def test_split_refuses_an_empty_side(tmp_path):
    source = labelled(tmp_path / "d", 4)
    for share in (0, 1, -0.5, 2):
        with pytest.raises(Refusal, match="between 0 and 1"):
            split(source, tmp_path / "out", share)
    with pytest.raises(Refusal, match="a picture on each side"):
        split(source, tmp_path / "out", 0.01, progress=False)
    assert not (tmp_path / "out").exists()


def test_split_leaves_out_what_vanishes_while_it_copies(tmp_path, monkeypatch):
    source = labelled(tmp_path / "d")

    def seen_and_lost(*what):
        facts = gather(*what)
        (source / "cat" / "01.png").unlink()
        return facts

    monkeypatch.setattr(prepare, "gather", seen_and_lost)
    made = split(source, tmp_path / "out", 0.25, progress=False)
    assert sum(made.parts.values()) == 39
    assert [name for name, reason in made.refused if "No such file" in reason] == ["cat/01.png"]
    listed = [line for side in made.parts for line in (made.out / side / "labels.csv").read_text().splitlines()[1:]]
    assert len(listed) == 39
    assert not any("cat/01.png" in line for line in listed)


def test_split_refuses_where_a_whole_side_vanishes(tmp_path, monkeypatch):
    source = labelled(tmp_path / "d", 8)

    def seen_and_lost(*what):
        facts = gather(*what)
        for file in source.rglob("*.png"):
            file.unlink()
        return facts

    monkeypatch.setattr(prepare, "gather", seen_and_lost)
    with pytest.raises(Refusal, match=r"nothing is left for train/ \((cat|dog)/\d\d\.png: cannot be read"):
        split(source, tmp_path / "out", 0.25, progress=False)
    assert not (tmp_path / "out").exists()


def test_split_links_nothing_for_the_names_in_a_zip(tmp_path):
    outside = save(tmp_path / "outside.png", scene(99)).as_posix()
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for i in range(8):
            archive.writestr(outside if i == 0 else f"{i}.png", save(tmp_path / "x.png", scene(i)).read_bytes())
    made = split(tmp_path / "d.zip", tmp_path / "out", 0.25, link=True, progress=False)
    assert sum(made.parts.values()) == 8
    assert Path(outside).read_bytes() not in files(made.out).values()


# --------------------------------------------------------------------------------------------------------------- pairs


def test_pairs_of_equal_stems(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("1", "2", "sub/3", "alone"):
        save(tmp_path / "photos" / f"{name}.jpg", scene(1), exif=exif)
    for name in ("1", "2", "sub/3", "other"):
        save(tmp_path / "maps" / f"{name}.png", scene(2, mode="P"))
    (tmp_path / "maps" / "2.png").write_bytes(b"")
    made = pair(tmp_path / "photos", tmp_path / "maps", tmp_path / "out", progress=False)
    assert made.parts == {"pairs": 2}
    assert set(files(tmp_path / "out")) == {f"{side}/{name}.png" for side in "ab" for name in ("1", "sub-3")}
    assert dict(made.refused) == {
        "maps/2.png": "the file is empty",
        "photos/alone.jpg": "has no partner",
        "maps/other.png": "has no partner",
    }
    with Image.open(tmp_path / "out" / "a" / "1.png") as a, Image.open(tmp_path / "out" / "b" / "1.png") as b:
        assert (a.size, a.mode, b.size, b.mode) == ((30, 40), "RGB", (40, 30), "P")


def test_pairs_by_order_and_by_table(tmp_path):
    for i in (1, 2, 10):
        save(tmp_path / "a" / f"photo{i}.png", Image.new("L", (8, 8), i))
        save(tmp_path / "b" / f"{'abcdefghij'[i - 1]}.png", Image.new("L", (8, 8), 100 + i))
    with pytest.raises(Refusal, match="--by order"):
        pair(tmp_path / "a", tmp_path / "b", tmp_path / "out", progress=False)
    (tmp_path / "t.csv").write_text("one,other\nphoto1.png,j.png\nphoto2.png,b.png\nphoto2.png,none.png\nlonely\n")
    for by, wanted in (("order", {1: 101, 2: 102, 10: 110}), (str(tmp_path / "t.csv"), {1: 110, 2: 102})):
        out = pair(tmp_path / "a", tmp_path / "b", tmp_path / f"out{len(wanted)}", by=by, progress=False).out
        found = [[Image.open(p).getpixel((0, 0)) for p in sorted((out / side).iterdir())] for side in "ab"]
        assert dict(zip(*found, strict=True)) == wanted
    with pytest.raises(Refusal, match="cannot be read"):
        pair(tmp_path / "a", tmp_path / "b", tmp_path / "out", by="nowhere.csv", progress=False)


def test_a_table_names_what_it_misses_and_needs_no_heading(tmp_path):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", scene(i))
        save(tmp_path / "b" / f"{i}.jpg", scene(i))
    table = tmp_path / "l.csv"
    table.write_text("0.png,1.jpg\n\n1.png,nope.png\nlonely\n")
    made = pair(tmp_path / "a", tmp_path / "b", tmp_path / "out", by=str(table), progress=False)
    assert made.parts == {"pairs": 1}
    assert made.refused[:2] == [
        ("b/nope.png", "no such picture (row 3 of l.csv)"),
        ("row 4 of l.csv", "one column; wanted two, with a comma between"),
    ]
    table.write_text("one,other\nx.png,0.jpg\n")
    with pytest.raises(Refusal, match=r"no row names two pictures \(a/x\.png: no such picture"):
        pair(tmp_path / "a", tmp_path / "b", tmp_path / "none", by=str(table), progress=False)


def test_order_needs_equal_numbers(tmp_path):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", scene(i))
        save(tmp_path / "b" / f"{i}.png", scene(i))
    (tmp_path / "b" / "1.png").unlink()
    with pytest.raises(Refusal, match=r"a holds 3 pictures, .*b 2: --by order needs equal numbers"):
        pair(tmp_path / "a", tmp_path / "b", tmp_path / "out", by="order", progress=False)


def test_halves(tmp_path):
    picture = Image.new("RGB", (8, 4), "red")
    picture.paste("blue", (4, 0, 8, 4))
    save(tmp_path / "d" / "sub" / "8.png", picture)
    save(tmp_path / "d" / "sub" / "odd.jpg", Image.new("RGB", (9, 4)))
    made = halve(tmp_path / "d", tmp_path / "out", progress=False)
    assert made.parts == {"pairs": 1}
    assert made.refused == [("sub/odd.jpg", "9 pixels wide; wanted two halves of equal width")]
    assert not made.notes
    for side, colour in (("a", (255, 0, 0)), ("b", (0, 0, 255))):
        with Image.open(tmp_path / "out" / side / "sub-8.png") as half:
            assert half.size == (4, 4)
            assert half.getcolors() == [(16, colour)]


def test_halves_of_single_photographs_are_doubted(tmp_path):
    for i, size in enumerate([(40, 30), (30, 40), (40, 20)]):
        save(tmp_path / "d" / f"{i}.png", scene(i, size))
    made = halve(tmp_path / "d", tmp_path / "out", progress=False)
    assert made.parts == {"pairs": 3}
    assert made.notes[0].startswith("2 of 3 pictures are not about twice as wide as high")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "F"])
def test_modes_are_kept_as_far_as_png_has_them(tmp_path, mode):
    picture = Image.new(mode, (12, 8), 1 if mode == "F" else 0)
    data = save(tmp_path / "x.tif", picture).read_bytes()
    if mode == "F":
        with pytest.raises(prepare.Unreadable, match="floats"):
            prepare.whole(data)
        return
    save(tmp_path / "x.png", prepare.whole(data))
    with Image.open(tmp_path / "x.png") as again:
        assert again.mode == {"CMYK": "RGB"}.get(mode, mode)
        assert again.size == (12, 8)


def test_broken_exif_costs_no_pair(tmp_path):
    for side in "ab":
        save(tmp_path / side / "1.png", scene(1), exif=b"Exif\0\0what is no EXIF")
    made = pair(tmp_path / "a", tmp_path / "b", tmp_path / "out", progress=False)
    assert made.parts == {"pairs": 1}


def test_broken_pairs_alone_are_refused(tmp_path):
    for side in "ab":
        (tmp_path / side).mkdir()
        (tmp_path / side / "1.png").write_bytes(b"nothing")
    with pytest.raises(Refusal, match="not one pair can be read"):
        pair(tmp_path / "a", tmp_path / "b", tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
