"""Pairs: two sets row by row, two folders, and what is said when they do not match."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.core.batch import DataShape, Pairs, Source
from zerosum.core.errors import Refusal
from zerosum.data import pairs as module
from zerosum.data.pairs import PairedPictures, paired_folder
from zerosum.data.pictures import Pictures


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))


def save(path: Path, number: int, size=(12, 10)) -> Path:
    """A flat picture whose red tells its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (number, 0, 200 if "b" in path.parent.name else 100)).save(path)
    return path


def filled(root: Path, num: int) -> Path:
    for i in range(num):
        save(root / "a" / f"{i:04}.png", i)
        save(root / "b" / f"{i:04}.bmp", i)
    return root


def red(x) -> list[int]:
    return ((x[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def refuse_to_decode(*_):
    raise AssertionError("decoded again")


def test_two_folders(tmp_path, monkeypatch):
    root = filled(tmp_path / "d", 5)
    pairs = paired_folder(root, 8, progress=False)
    assert isinstance(pairs, Source)
    assert (len(pairs), pairs.name, pairs.shape, pairs.refused) == (5, "d", DataShape(8, 8, 3), [])
    batch = pairs.batch(np.array([3, 0]))
    assert isinstance(batch, Pairs)
    assert pairs.holds is Pairs
    assert red(batch.x) == red(batch.y) == [3, 0]
    assert batch.x[0, 2, 0, 0] < 0 < batch.y[0, 2, 0, 0]
    assert pairs.heldout() is None
    monkeypatch.setattr(module, "decode", refuse_to_decode)
    assert paired_folder(root, 8, progress=False).fingerprint == pairs.fingerprint
    monkeypatch.undo()
    save(root / "b" / "0001.bmp", 77)
    assert paired_folder(root, 8, progress=False).fingerprint != pairs.fingerprint


def test_halves_by_name_and_in_a_zip(tmp_path):
    root = filled(tmp_path / "d", 3)
    save(root / "c" / "0001.png", 1)
    with pytest.raises(Refusal, match=r"3 subfolders with pictures \(a, b, c\)"):
        paired_folder(root, 8, progress=False)
    pairs = paired_folder(root, (8, 16), channels=1, halves=("b", "a"), progress=False)
    assert pairs.batch(np.arange(3)).x.shape == (3, 1, 8, 16)
    assert pairs.batch(np.arange(3)).x.mean() > pairs.batch(np.arange(3)).y.mean()
    with pytest.raises(Refusal, match=r"subfolder 'd'. It has: a, b, c"):
        paired_folder(root, 8, halves=("a", "d"), progress=False)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in sorted(root.rglob("*.*")):
            if file.parent.name != "c":
                archive.write(file, f"around/{file.relative_to(root)}")
    assert red(paired_folder(tmp_path / "d.zip", 8, progress=False).batch(np.arange(3)).y) == [0, 1, 2]


def test_a_zip_with_absolute_names_beside_others(tmp_path):
    root = filled(tmp_path / "d", 3)
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in sorted(root.rglob("*.*")):
            first = "/" if file.parent.name == "a" else ""
            archive.writestr(f"{first}around/{file.relative_to(root)}", file.read_bytes())
    pairs = paired_folder(tmp_path / "d.zip", 8, progress=False)
    assert red(pairs.batch(np.arange(3)).x) == red(pairs.batch(np.arange(3)).y) == [0, 1, 2]


def test_bad_halves_are_named(tmp_path):
    root = filled(tmp_path / "d", 6)
    (root / "a" / "0001.png").write_bytes(b"")
    (root / "b" / "0002.bmp").write_bytes(b"BM damaged")
    (root / "b" / "0003.bmp").unlink()
    save(root / "b" / "more.png", 9)
    save(root / "a" / "0004.tif", 9)
    for _ in range(2):  # made, then from the cache
        pairs = paired_folder(root, 8, progress=False)
        assert red(pairs.batch(np.arange(3)).x) == red(pairs.batch(np.arange(3)).y)
        assert len(pairs) == 3
        reasons = dict(pairs.refused)
        assert reasons["a/0001.png"] == "the file is empty"
        assert "damaged" in reasons["b/0002.bmp"] or "not a picture" in reasons["b/0002.bmp"]
        assert reasons["a/0003.png"] == "has no partner in b/"
        assert reasons["b/more.png"] == "has no partner in a/"
        assert sum("0004" in name for name in reasons) == 1
        assert len(reasons) == 5


def test_a_half_that_vanishes_while_pairs_are_made_comes_back_another_time(tmp_path, monkeypatch):
    root, prepare = filled(tmp_path / "d", 3), module._Intake.prepare

    def without_one(intake, progress):
        (root / "b" / "0001.bmp").rename(tmp_path / "away.bmp")
        prepare(intake, progress)

    monkeypatch.setattr(module._Intake, "prepare", without_one)
    pairs = paired_folder(root, 8, progress=False)
    assert len(pairs) == 2
    assert [name for name, _ in pairs.refused] == ["b/0001.bmp"]
    monkeypatch.undo()
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "away.bmp").rename(root / "b" / "0001.bmp")
    assert len(paired_folder(root, 8, progress=False)) == 3


def test_held_out_pairs_stay_together(tmp_path):
    root = filled(tmp_path / "d", 120)
    for i in range(0, 120, 10):  # copies of one picture, with different partners
        save(root / "a" / f"{i:04}.png", 255)
    pairs = paired_folder(root, 4, progress=False)
    heldout = pairs.heldout()
    assert len(pairs) + len(heldout) == 120
    assert 3 <= len(heldout) <= 40
    for part in (pairs, heldout):
        batch = part.batch(np.arange(len(part)))
        assert all(x in (y, 255) for x, y in zip(red(batch.x), red(batch.y), strict=True))
    copies = [red(part.batch(np.arange(len(part))).x).count(255) for part in (pairs, heldout)]
    assert sorted(copies) == [0, 12]
    assert heldout.heldout() is None
    assert heldout.fingerprint != pairs.fingerprint
    few = pairs.subset(np.array([5, 2]))
    assert red(few.batch(np.arange(2)).y) == red(pairs.batch(np.array([5, 2])).y)
    assert len(few.heldout()) == len(heldout)


def test_what_makes_no_pairs_is_refused(tmp_path):
    save(tmp_path / "one" / "a" / "1.png", 1)
    with pytest.raises(Refusal, match="no subfolders with pictures"):
        paired_folder(tmp_path / "one", 8, progress=False)
    save(tmp_path / "other" / "a" / "1.png", 1)
    save(tmp_path / "other" / "b" / "2.png", 1)
    with pytest.raises(Refusal, match=r"a/1 and b/2"):
        paired_folder(tmp_path / "other", 8, progress=False)
    save(tmp_path / "other" / "b" / "1.png", 1)
    with pytest.raises(Refusal, match=r"1 of 1 pairs.*no partner.*Wanted 2"):
        paired_folder(tmp_path / "other", 8, progress=False)
    with pytest.raises(Refusal, match="no such folder"):
        paired_folder(tmp_path / "nothing", 8, progress=False)
    with pytest.raises(Refusal, match="channels=5"):
        paired_folder(tmp_path / "other", 8, channels=5, progress=False)


def test_sets_that_do_not_belong_together(tmp_path):
    def pictures(num: int, side: int = 4, rows=None, heldout=None) -> Pictures:
        pixels = np.zeros((num, side, side, 3), np.uint8)
        return Pictures("p", DataShape(side, side), pixels, fingerprint="f", rows=rows, heldout_rows=heldout)

    good = PairedPictures("p", pictures(5), pictures(5))
    assert len(good) == 5
    for x, y in [
        (pictures(5), pictures(4)),
        (pictures(5), pictures(5, side=8)),
        (pictures(5, rows=np.array([0, 1])), pictures(5, rows=np.array([1, 0]))),
        (pictures(5, heldout=np.array([0, 1])), pictures(5, heldout=np.array([0, 2]))),
        (pictures(5, heldout=np.array([0, 1])), pictures(5)),
    ]:
        with pytest.raises(ValueError, match="wanted"):
            PairedPictures("p", x, y)
