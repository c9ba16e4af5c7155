"""Folders and zips of pictures: labels, bad files, orientation, the cache."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.core.errors import Refusal
from zerosum.data import folder as module
from zerosum.data.decode import Unreadable, decode
from zerosum.data.folder import folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))


def save(path: Path, colour=(255, 0, 0), size=(20, 10), **settings) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **settings)
    return path


def classes(pictures) -> list[str]:
    assert len(pictures.shape.attributes) == 1
    names = pictures.shape.attributes[0].classes
    return [names[code] for code in pictures.labels(np.arange(len(pictures)))[:, 0]]


def refuse_to_decode(*_):
    raise AssertionError("decoded again")


def test_plain_folder(tmp_path):
    save(tmp_path / "d" / "a.png", (255, 0, 0))
    save(tmp_path / "d" / "b.jpg", (0, 0, 255), quality=95)
    (tmp_path / "d" / "notes.txt").write_text("not a picture")
    pictures = folder(tmp_path / "d", 8, progress=False)
    assert (len(pictures), pictures.name, pictures.shape.attributes, pictures.refused) == (2, "d", (), [])
    batch = pictures.batch(np.array([0, 1]))
    assert batch.y is None
    assert batch.x[0, :, 4, 4].tolist() == [1, -1, -1]
    assert batch.x[1, :, 4, 4].tolist() == pytest.approx([-1, -1, 1], abs=0.05)
    assert pictures.heldout() is None


def test_rectangles_and_grey(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    pictures = folder(tmp_path, (8, 16), channels=1, progress=False)
    assert pictures.batch(np.arange(2)).x.shape == (2, 1, 8, 16)


def test_subfolders_are_classes(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        save(tmp_path / "d" / name)
    pictures = folder(tmp_path / "d", 8, progress=False)
    assert pictures.shape.attributes[0].name == "class"
    assert classes(pictures) == ["cat", "cat", "dog", "dog"]


def test_one_subfolder_is_no_class(tmp_path):
    for name in ("only/1.png", "only/2.png"):
        save(tmp_path / "d" / name)
    assert folder(tmp_path / "d", 8, progress=False).shape.attributes == ()


def test_labels_from_a_table(tmp_path):
    for name in ("1.png", "sub/2.png", "3.png"):
        save(tmp_path / "d" / name)
    (tmp_path / "d" / "labels.csv").write_text("\ufefffile,size,colour\n1.png,big,red\n2.png,10,blue\n")
    pictures = folder(tmp_path / "d", 8, progress=False)
    assert [a.name for a in pictures.shape.attributes] == ["size", "colour"]
    assert pictures.shape.attributes[0].classes == ("10", "big")
    assert pictures.labels(np.arange(2)).tolist() == [[1, 1], [0, 0]]
    assert pictures.refused == [("3.png", "labels.csv has no label for it")]


def test_labels_from_stylegans_listing(tmp_path):
    for name in ("0/1.png", "0/2.png"):
        save(tmp_path / "d" / name)
    (tmp_path / "d" / "dataset.json").write_text(json.dumps({"labels": [["0/1.png", 10], ["0/2.png", 9]]}))
    pictures = folder(tmp_path / "d", 8, progress=False)
    assert pictures.shape.attributes[0].classes == ("9", "10")
    assert classes(pictures) == ["10", "9"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.csv", "1.png,cat\n2.png,dog\n"),
        ("labels.csv", "file,class\nother.png,cat\n"),
        ("dataset.json", '{"labels": [["1.png", -1]]}'),
        ("dataset.json", "[1"),
    ],
)
def test_labels_that_make_no_sense_are_refused(tmp_path, file, text):
    for name in ("1.png", "2.png"):
        save(tmp_path / "d" / name)
    (tmp_path / "d" / file).write_text(text)
    with pytest.raises(Refusal, match=file):
        folder(tmp_path / "d", 8, progress=False)


def bad_files(where: Path) -> None:
    (where / "empty.png").write_bytes(b"")
    (where / "page.jpg").write_bytes(b"<!DOCTYPE html><html></html>")
    (where / "noise.jpg").write_bytes(b"\x00\x01" * 99)
    whole = save(where / "x.png", size=(300, 300)).read_bytes()
    (where / "x.png").write_bytes(whole[: len(whole) // 2])
    head = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (where / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I4s", 99, b"IDAT"))


def test_bad_files_are_passed_over_and_listed(tmp_path):
    save(tmp_path / "d" / "a.png")
    save(tmp_path / "d" / "b.png")
    bad_files(tmp_path / "d")
    for _ in range(2):  # the list is kept in the cache
        pictures = folder(tmp_path / "d", 8, progress=False)
        reasons = dict(pictures.refused)
        assert len(pictures) == 2
        assert set(reasons) == {"empty.png", "page.jpg", "noise.jpg", "x.png", "bomb.png"}
        assert "empty" in reasons["empty.png"]
        assert "web page" in reasons["page.jpg"]
        assert "not a picture" in reasons["noise.jpg"]
        assert "damaged" in reasons["x.png"]
        assert "megapixels" in reasons["bomb.png"]


def test_too_little_is_refused(tmp_path):
    with pytest.raises(Refusal, match="no such folder"):
        folder(tmp_path / "nowhere", 8)
    (tmp_path / "d").mkdir()
    with pytest.raises(Refusal, match="empty"):
        folder(tmp_path / "d", 8)
    (tmp_path / "d" / "notes.txt").write_text("x")
    with pytest.raises(Refusal, match=r"no pictures among its files \(1 \.txt\)"):
        folder(tmp_path / "d", 8)
    save(tmp_path / "d" / "a.png")
    (tmp_path / "d" / "b.png").write_bytes(b"")
    with pytest.raises(Refusal, match="1 of 2 pictures"):
        folder(tmp_path / "d", 8, progress=False)
    (tmp_path / "d.zip").write_bytes(b"no zip")
    with pytest.raises(Refusal, match="not a zip"):
        folder(tmp_path / "d.zip", 8)


def test_zip_equals_folder(tmp_path):
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")):
        save(tmp_path / "d" / name, (i, i, i))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in (tmp_path / "d").rglob("*.png"):
            archive.write(file, Path("root") / file.relative_to(tmp_path / "d"))
        archive.writestr("__MACOSX/root/._1.png", b"junk")
    one, other = folder(tmp_path / "d", 8, progress=False), folder(tmp_path / "d.zip", 8, progress=False)
    assert one.fingerprint == other.fingerprint
    assert classes(one) == classes(other)


def test_second_start_reads_nothing(tmp_path, monkeypatch):
    save(tmp_path / "d" / "a.png")
    save(tmp_path / "d" / "b.png")
    first = folder(tmp_path / "d", 8, progress=False)
    monkeypatch.setattr(module, "decode", refuse_to_decode)
    monkeypatch.setattr(module, "content_hash", refuse_to_decode)
    assert folder(tmp_path / "d", 8, progress=False).fingerprint == first.fingerprint


def test_touched_files_are_hashed_and_not_decoded(tmp_path, monkeypatch):
    save(tmp_path / "d" / "a.png")
    save(tmp_path / "d" / "b.png")
    first = folder(tmp_path / "d", 8, progress=False)
    os.utime(tmp_path / "d" / "a.png", (1, 1))
    monkeypatch.setattr(module, "decode", refuse_to_decode)
    assert folder(tmp_path / "d", 8, progress=False).fingerprint == first.fingerprint


def test_changed_content_changes_the_fingerprint(tmp_path):
    save(tmp_path / "d" / "a.bmp", (1, 2, 3))
    save(tmp_path / "d" / "b.bmp")
    first = folder(tmp_path / "d", 8, progress=False)
    save(tmp_path / "d" / "a.bmp", (200, 2, 3))  # of the same size
    os.utime(tmp_path / "d" / "a.bmp", (1, 1))
    second = folder(tmp_path / "d", 8, progress=False)
    assert second.fingerprint != first.fingerprint
    assert second.pixels(np.array([0]))[0, 0, 0].tolist() == [200, 2, 3]
    assert folder(tmp_path / "d", 16, progress=False).fingerprint != second.fingerprint


def test_a_tenth_is_held_out_by_content(tmp_path):
    for i in range(150):
        save(tmp_path / "d" / f"{i}.png", (i, 0, 0), (4, 4))
    pictures = folder(tmp_path / "d", 4, progress=False)
    heldout = pictures.heldout()
    assert heldout is not None
    seen = {int(p[0, 0, 0]) for p in pictures.pixels(np.arange(len(pictures)))}
    kept = {int(p[0, 0, 0]) for p in heldout.pixels(np.arange(len(heldout)))}
    assert seen | kept == set(range(150))
    assert not seen & kept
    assert 3 <= len(kept) <= 30


def encoded(picture: Image.Image, tmp_path: Path, kind: str = "png", **settings) -> bytes:
    picture.save(tmp_path / f"x.{kind}", **settings)
    return (tmp_path / f"x.{kind}").read_bytes()


def test_middle_is_cut_out_and_reduced_with_antialiasing(tmp_path):
    stripes = np.zeros((64, 192, 3), np.uint8)
    stripes[:, 64:128:2] = 255  # the middle third: stripes finer than the result can hold
    pixels = decode(encoded(Image.fromarray(stripes), tmp_path), 8, 8, 3)
    assert pixels[:, 1:-1].mean() == pytest.approx(127.5, abs=3)
    assert pixels[:, 1:-1].std() < 6


def test_cut_anywhere_is_unreadable_or_read_and_never_another_error(tmp_path):
    whole = encoded(Image.effect_noise((40, 40), 50).convert("RGB"), tmp_path, "jpg")
    for end in range(0, len(whole) - 2, 37):
        with pytest.raises(Unreadable):
            decode(whole[:end], 8, 8, 3)
