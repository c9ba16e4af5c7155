"""Checkpoints are whole or not there; a damaged one is named and passed over."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zerosum.core import checkpoint


def save(parent: Path, images: int) -> None:
    tensors = {"game": {"w": torch.full((3,), float(images))}, "average": {"w": torch.zeros(2)}}
    checkpoint.save(parent, images, tensors, {"images": images, "sum": 0.1})


def test_what_is_saved_is_read_back_exactly(tmp_path: Path) -> None:
    save(tmp_path, 64)
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert passed_over == []
    assert found.state == {"images": 64, "sum": 0.1}
    assert torch.equal(found.tensors("game")["w"], torch.full((3,), 64.0))


def test_the_newest_is_found_and_old_ones_go(tmp_path: Path) -> None:
    for images in (64, 128, 1_000_000):
        save(tmp_path, images)
    found, _ = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.state["images"] == 1_000_000
    assert len(checkpoint.complete(tmp_path)) == 2


@pytest.mark.parametrize("file", ["game.safetensors", "average.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_one_is_named_and_passed_over(tmp_path: Path, file: str, damage: str) -> None:
    save(tmp_path, 64)
    save(tmp_path, 128)
    path = tmp_path / f"{128:09d}" / file
    data = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.state["images"] == 64
    assert len(passed_over) == 1
    assert "000000128" in passed_over[0]


def test_a_half_written_one_is_not_there(tmp_path: Path) -> None:
    save(tmp_path, 64)
    (tmp_path / ".000000128.tmp").mkdir()
    (tmp_path / ".000000128.tmp" / "game.safetensors").write_bytes(b"half")
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.state["images"] == 64
    assert passed_over == []
    save(tmp_path, 128)
    assert not list(tmp_path.glob(".*"))


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "state") == (None, [])
