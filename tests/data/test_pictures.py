"""The memory map: views, batches, what is held out, and memory that does not grow."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.core.batch import Attribute, DataShape, Source
from zerosum.core.errors import Refusal
from zerosum.data.pictures import Pictures, Workshop, prepared, progress_bar, sides, split, workshop

SHAPE = DataShape(4, 6, 3, (Attribute("kind", ("a", "b")),))


def made_up(num: int = 10) -> Pictures:
    pixels = np.arange(num, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), np.uint8)
    labels = (np.arange(num) % 2)[:, None]
    return Pictures(
        "made up", SHAPE, pixels, labels, fingerprint="f", heldout_rows=np.array([1, 3]), rows=np.arange(5, num)
    )


def fill(making: Workshop, num: int) -> None:
    making.pixels[:] = 7
    making.label(np.ones((num, 1)))


def test_is_a_source():
    assert isinstance(made_up(), Source)


def test_batch_has_the_rows_of_the_view():
    batch = made_up().batch(np.array([4, 0]))
    assert batch.x.shape == (2, 3, 4, 6)
    assert batch.x.dtype == torch.float32
    assert batch.x[:, 0, 0, 0].tolist() == pytest.approx([9 / 127.5 - 1, 5 / 127.5 - 1])
    assert batch.y is not None
    assert batch.y.tolist() == [[1], [1]]


def test_heldout_and_subset_share_the_map():
    pictures = made_up()
    heldout, part = pictures.heldout(), pictures.subset(np.array([2, 1]))
    assert heldout is not None
    assert heldout.pixels(np.arange(2))[:, 0, 0, 0].tolist() == [1, 3]
    assert heldout.heldout() is None
    assert part.pixels(np.arange(2))[:, 0, 0, 0].tolist() == [7, 6]
    assert len({pictures.fingerprint, heldout.fingerprint, part.fingerprint}) == 3
    assert part.fingerprint == pictures.subset(np.array([2, 1])).fingerprint


@pytest.mark.parametrize("index", [-1, 5])
def test_index_outside_is_an_error(index):
    with pytest.raises(IndexError):
        made_up().batch(np.array([index]))


def test_finished_set_comes_back_and_unfinished_vanishes(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path))
    with contextlib.suppress(KeyboardInterrupt), workshop(3, SHAPE) as making:
        fill(making, 3)
        raise KeyboardInterrupt
    assert list((tmp_path / "pictures").iterdir()) == []
    with workshop(3, SHAPE) as making:
        fill(making, 3)
        making.finish("abc", np.array([0, 2]), np.array([], np.int64))
    found = prepared("abc", "name")
    assert found is not None
    assert found.shape == SHAPE
    assert len(found) == 2
    assert found.heldout() is None
    assert found.batch(np.array([1])).y.tolist() == [[1]]
    assert prepared("unknown", "name") is None


def test_second_of_two_makers_keeps_the_first_set(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path))
    with workshop(2, SHAPE) as one, workshop(2, SHAPE) as other:
        for making in (one, other):
            fill(making, 2)
            making.finish("abc", np.arange(2), np.array([], np.int64))
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["abc"]
    assert prepared("abc", "name") is not None


def test_damaged_set_is_not_believed_and_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path))
    for _ in range(2):
        with workshop(2, SHAPE) as making:
            fill(making, 2)
            making.finish("abc", np.arange(2), np.array([], np.int64))
        assert prepared("abc", "name") is not None
        os.truncate(tmp_path / "pictures" / "abc" / "pixels.npy", 150)
        assert prepared("abc", "name") is None


def test_full_disk_is_refused_before_work(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path))
    with pytest.raises(Refusal, match="ZEROSUM_CACHE"), workshop(10**12, SHAPE):
        pass


def test_heldout_is_a_tenth_by_the_first_four_bytes():
    hashes = np.zeros((1000, 32), np.uint8)
    hashes[:, :4] = np.arange(1000).astype(">u4")[:, None].view(np.uint8)
    train, heldout = split(np.arange(5, 1000), hashes)
    assert heldout.tolist() == list(range(10, 1000, 10))
    assert sorted([*train, *heldout]) == list(range(5, 1000))
    assert len(split(np.arange(99), hashes)[1]) == 0


def test_no_bar_where_there_is_no_terminal(capfd):
    with progress_bar("reading", 3) as advance:
        advance(2)
    assert capfd.readouterr() == ("", "")


def test_sides():
    assert sides(8) == (8, 8)
    assert sides((8, 16)) == (8, 16)
    with pytest.raises(Refusal):
        sides(2)


MEASURE = """
import sys
import numpy as np
from zerosum.core.batch import DataShape
from zerosum.data.pictures import Pictures
pixels = np.load(sys.argv[1], mmap_mode="r")
rows = np.load(sys.argv[2], mmap_mode="r")
pictures = Pictures("made up", DataShape(64, 64), pixels, fingerprint="f", rows=rows)
random = np.random.default_rng(0)
for _ in range(40):
    pictures.batch(random.integers(0, len(pictures), 64))
status = open("/proc/self/status").read()
print(status.split("RssAnon:")[1].split()[0])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_anonymous_memory_does_not_grow_with_the_data(tmp_path):
    used = {}
    for num in (10_000, 1_000_000):
        pixels, rows = tmp_path / f"{num}.npy", tmp_path / f"rows{num}.npy"
        np.lib.format.open_memmap(pixels, mode="w+", dtype=np.uint8, shape=(num, 64, 64, 3))  # sparse: no disk is used
        np.save(rows, np.arange(num))
        command = [sys.executable, "-c", MEASURE, str(pixels), str(rows)]
        used[num] = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert used[1_000_000] < 1.1 * used[10_000]
