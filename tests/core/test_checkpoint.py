"""Checkpoints are whole or not there; a damaged one is named and passed over."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from zerosum.core import checkpoint, files
from zerosum.core.errors import Refusal

FILES = ["game.safetensors", "average.safetensors", "state.json", "manifest.json"]


def save(parent: Path, images: int) -> None:
    tensors = {"game": {"w": torch.full((5000,), float(images))}, "average": {"w": torch.zeros(2)}}
    checkpoint.save(parent, images, tensors, {"images": images, "sum": 0.1})


def found_at(parent: Path) -> int | None:
    """How many images the newest whole checkpoint has; every one that is passed over must be named."""
    found, passed_over = checkpoint.newest(parent)
    after = [
        path.name for path in checkpoint.complete(parent) if found is None or int(path.name) > int(found.path.name)
    ]
    assert all(any(name in sentence for sentence in passed_over) for name in after)
    return found.state["images"] if found else None


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with whole checkpoints at 64 and 128 images."""
    save(tmp_path, 64)
    save(tmp_path, 128)
    return tmp_path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 64 KB, where this process may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small disk; a full one is simulated in the test before")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_what_is_saved_is_read_back_exactly(tmp_path: Path) -> None:
    save(tmp_path, 64)
    found, passed_over = checkpoint.newest(tmp_path)
    assert found is not None
    assert passed_over == []
    assert found.state == {"images": 64, "sum": 0.1}
    assert torch.equal(found.tensors("game")["w"], torch.full((5000,), 64.0))


def test_the_newest_is_found_and_old_ones_go(tmp_path: Path) -> None:
    for images in (64, 999_999_999, 1_000_000_000):  # one digit more sorts before, as text
        save(tmp_path, images)
    assert found_at(tmp_path) == 1_000_000_000
    assert len(checkpoint.complete(tmp_path)) == 2


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(two: Path, file: str) -> None:
    (two / f"{128:09d}" / file).unlink()
    assert found_at(two) == 64


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_anywhere_is_never_loaded(two: Path, file: str) -> None:
    path = two / f"{128:09d}" / file
    data = path.read_bytes()
    for length in sorted({0, 1, len(data) - 1, *range(4096, len(data), 4096)}):
        path.write_bytes(data[:length])
        assert found_at(two) == 64, length
    path.write_bytes(data + b"\n")
    assert found_at(two) == 64
    path.write_bytes(data)
    assert found_at(two) == 128


@pytest.mark.parametrize("file", FILES)
def test_a_changed_byte_is_never_loaded(two: Path, file: str) -> None:
    path = two / f"{128:09d}" / file
    data, bits = path.read_bytes(), random.Random(0)
    places = range(len(data)) if file == "manifest.json" else [0, 8, 12, len(data) // 2, len(data) - 1]
    for place in places:
        changed = bytes([data[place] ^ 1 << bits.randrange(8)])
        path.write_bytes(data[:place] + changed + data[place + 1 :])
        assert found_at(two) == 64, (place, changed)


def test_line_ends_of_another_system_are_a_change(two: Path) -> None:
    path = two / f"{128:09d}" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert found_at(two) == 64


@pytest.mark.parametrize(
    "manifest",
    [
        *({}, [], None, 3, "state.json", ["state.json"]),
        {"state.json": 3},
        {"state.json": None},
        {"state.json": ["a" * 64]},
        {"state.json": "a" * 64, "gone.safetensors": "a" * 64},
        {"state.json": "a" * 64, "../000000064/state.json": "a" * 64},
        {"state.json": "a" * 64, "/etc/hostname": "a" * 64},
        {"state.json": "a" * 64, "..": "a" * 64},
        {"state.json": "a" * 64, "": "a" * 64},
        {"state.json": "a" * 64, "\0": "a" * 64},
        {"state.json": "a" * 64, "\ud800": "a" * 64},
        {"state.json": "a" * 64, "n" * 5000: "a" * 64},
        {f"{n}.json": "a" * 64 for n in range(20000)},
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_made_up_manifest_is_named(two: Path, manifest: object) -> None:
    files.save_json(two / f"{128:09d}" / "manifest.json", manifest)
    assert found_at(two) == 64


def test_names_outside_the_folder_are_not_followed_even_with_the_right_hash(two: Path) -> None:
    path = two / f"{128:09d}" / "manifest.json"
    outside = two / f"{64:09d}" / "state.json"
    files.save_json(path, json.loads(path.read_text()) | {"../000000064/state.json": files.sha256(outside)})
    assert found_at(two) == 64


@pytest.mark.parametrize("text", ["[" * 60000, "9" * 60000, '{"a":' * 10000, "\xff\xfe", "NaN"])
def test_json_that_breaks_parsers_is_named(two: Path, text: str) -> None:
    (two / f"{128:09d}" / "manifest.json").write_bytes(text.encode("latin-1"))
    assert found_at(two) == 64


def test_what_the_manifest_does_not_list_is_left_alone_and_never_loaded(two: Path) -> None:
    folder = two / f"{128:09d}"
    (folder / ".DS_Store").write_bytes(b"x")
    files.save_tensors(folder / "optimizers.safetensors", {"w": torch.ones(3)})
    found, passed_over = checkpoint.newest(two)
    assert found is not None
    assert passed_over == []
    with pytest.raises(KeyError, match="optimizers"):
        found.tensors("optimizers")


def test_without_a_whole_one_it_says_that_the_run_begins_again(two: Path) -> None:
    for path in checkpoint.complete(two):
        (path / "state.json").write_bytes(b"")
    found, passed_over = checkpoint.newest(two)
    assert found is None
    assert ["000000128" in passed_over[0], "000000064" in passed_over[1]] == [True, True]
    assert "begins again at 0 images" in passed_over[2]


def test_a_half_written_one_is_not_there(tmp_path: Path) -> None:
    save(tmp_path, 64)
    (tmp_path / ".000000128.tmp").mkdir()
    (tmp_path / ".000000128.tmp" / "game.safetensors").write_bytes(b"half")
    assert found_at(tmp_path) == 64
    save(tmp_path, 128)
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_later_one_goes_with_the_next_save(two: Path) -> None:
    save(two, 192)
    (two / f"{192:09d}" / "state.json").write_bytes(b"")
    save(two, 160)  # the run went back to 128, and on from there
    assert [int(path.name) for path in checkpoint.complete(two)] == [128, 160]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "state") == (None, [])
    assert not checkpoint.has(tmp_path / "state", 64)


def test_it_never_renames_across_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's folder for temporary files may be on another disk, where no rename leads."""
    monkeypatch.setenv("TMPDIR", "/nowhere")
    pairs: list[tuple[Path, Path]] = []
    for name in ("rename", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda a, b, real=real: (pairs.append((Path(a), Path(b))), real(a, b)))
    save(tmp_path, 64)
    assert len(pairs) == 5
    assert all(before.parent == after.parent for before, after in pairs)
    assert found_at(tmp_path) == 64


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_in_words(*_: object) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("module", "name", "fails"),
    [
        *((os, "fsync", full), (os, "rename", full), (Path, "write_text", full), (Path, "mkdir", full)),
        (safetensors.torch, "save_file", full_in_words),
    ],
)
def test_on_a_full_disk_the_old_one_stays(
    module: object, name: str, fails: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, 64)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, fails)
        with pytest.raises(Refusal, match=r"No space left on device.*free some space"):
            save(tmp_path, 128)
    assert [path.name for path in tmp_path.iterdir()] == [f"{64:09d}"]
    assert found_at(tmp_path) == 64


def test_another_fault_of_the_system_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "rename", denied)
    with pytest.raises(PermissionError):
        save(tmp_path, 64)
    assert list(tmp_path.iterdir()) == []


def test_on_a_disk_that_is_really_full_the_old_one_stays(small_disk: Path) -> None:
    save(small_disk, 64)
    save(small_disk, 128)
    with pytest.raises(Refusal, match="No space left on device"):
        save(small_disk, 192)
    assert [int(path.name) for path in checkpoint.complete(small_disk)] == [64, 128]
    assert not list(small_disk.glob(".*"))
    assert found_at(small_disk) == 128
