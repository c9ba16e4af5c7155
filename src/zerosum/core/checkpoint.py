"""Checkpoints: folders of safetensors and JSON under a SHA-256 manifest. Whole or not there; no pickle."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from zerosum.core.files import room_for, save_json, save_tensors, sha256, sync, to_json

MANIFEST = "manifest.json"
STATE = "state.json"
LARGEST = 65536  # bytes of a manifest that is worth reading; ours have some 400


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on the disk, and the SHA-256 of each of its files, by name."""

    path: Path
    hashes: Mapping[str, str]

    @property
    def state(self) -> dict:
        """The plain values that were saved."""
        return json.loads((self.path / STATE).read_text(encoding="utf-8"))

    def tensors(self, name: str) -> dict[str, Tensor]:
        """One of the saved groups of tensors, on the CPU. Raises KeyError for a group that the manifest lacks."""
        file = f"{name}.safetensors"
        if file not in self.hashes:  # it may lie in the folder, but nothing vouches for it
            raise KeyError(file)
        return load_file(self.path / file)


def save(
    parent: Path, images: int, tensors: Mapping[str, Mapping[str, Tensor]], state: dict, keep: int = 2, spare: int = 0
) -> None:
    """Saves groups of tensors and plain values as `parent/NNNNNNNNN/` and removes all but the newest `keep`.

    Written in a temporary folder beside the target, each file and the folder flushed to disk, then renamed. Raises
    Refusal where the disk is full; the checkpoints before it stay.
    """
    target, temporary = parent / f"{images:09d}", parent / f".{images:09d}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with room_for(target):
            temporary.mkdir(parents=True)
            _write(temporary, tensors, state)
            if target.exists():  # a damaged one: the trainer saves none that is there
                shutil.rmtree(target)
            os.rename(temporary, target)
            sync(parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in _superseded(parent, images, keep, spare):
        shutil.rmtree(old)


def has(parent: Path, images: int) -> bool:
    """Whether an undamaged checkpoint stands at so many images."""
    return isinstance(_inspect(parent / f"{images:09d}"), Checkpoint)


def complete(parent: Path) -> list[Path]:
    """The folders that were renamed into place, oldest first; their contents are not checked."""
    found = [path for path in parent.glob("[0-9]*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))


def newest(parent: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest undamaged checkpoint under `parent`, if any, and a sentence on each damaged one passed over."""
    passed_over: list[str] = []
    for path in reversed(complete(parent)):
        found = _inspect(path)
        if isinstance(found, Checkpoint):
            return found, passed_over
        passed_over.append(f"{path}: {found}; passed over.")
    if passed_over:
        again = "The run begins again at 0 images; what it made so far is kept beside it, in set-aside-N."
        passed_over.append(f"{parent}: no checkpoint in it is whole. {again}")
    return None, passed_over


def forget_after(parent: Path, images: int) -> None:
    """Removes the checkpoints of more images: the run goes back behind them."""
    for path in complete(parent):
        if int(path.name) > images:
            shutil.rmtree(path)


def _write(folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], state: dict) -> None:
    for name, group in tensors.items():
        save_tensors(folder / f"{name}.safetensors", group)
    save_json(folder / STATE, state)
    save_json(folder / MANIFEST, {file.name: sha256(file) for file in sorted(folder.iterdir())})
    sync(folder)


def _superseded(parent: Path, images: int, keep: int, spare: int) -> list[Path]:
    """All but the last `keep` up to `images` and the one at `spare`. Later ones are of a past that the run has left."""
    found = complete(parent)
    kept = [path for path in found if int(path.name) <= images][-keep:]
    return [path for path in found if path not in kept and int(path.name) != spare]


def _inspect(path: Path) -> Checkpoint | str:
    """The checkpoint if every file that its manifest lists is as it was saved, else what is wrong with it."""
    try:
        hashes = _manifest(path / MANIFEST)
    except (OSError, ValueError, RecursionError):
        return "its manifest cannot be read, or was changed"
    for name, expected in hashes.items():
        try:
            if not (path / name).is_file():
                return f"{name} is missing"
            if sha256(path / name) != expected:
                return f"{name} is damaged (its SHA-256 is not the manifest's)"
        except OSError as error:  # a bad sector, a folder that may not be read
            return f"{name} cannot be read ({error.strerror})"
    return Checkpoint(path, hashes)


def _manifest(file: Path) -> dict[str, str]:
    """The SHA-256 of each file, by name. Raises OSError, ValueError or RecursionError unless it is as it was saved.

    No other file vouches for it, so that its text must be, to the byte, the one that `save` writes.
    """
    if not file.is_file() or file.stat().st_size > LARGEST:
        raise ValueError("not a manifest")
    text = file.read_bytes().decode()
    hashes = json.loads(text)
    if not isinstance(hashes, dict) or STATE not in hashes or text != to_json(hashes):
        raise ValueError("not a manifest")
    for name, value in hashes.items():
        if not re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII) or not re.fullmatch(r"[0-9a-f]{64}", str(value)):
            raise ValueError(f"not a file beside it: {name!r}")
    return hashes
