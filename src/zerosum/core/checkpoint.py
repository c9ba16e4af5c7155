"""Checkpoints: folders of safetensors and JSON under a SHA-256 manifest. Whole or not there; no pickle."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from zerosum.core.files import save_json, save_tensors, sha256, sync

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on the disk."""

    path: Path

    @property
    def state(self) -> dict:
        """The plain values that were saved."""
        return json.loads((self.path / "state.json").read_text(encoding="utf-8"))

    def tensors(self, name: str) -> dict[str, Tensor]:
        """One of the saved groups of tensors, on the CPU."""
        return load_file(self.path / f"{name}.safetensors")


def save(parent: Path, images: int, tensors: Mapping[str, Mapping[str, Tensor]], state: dict, keep: int = 2) -> None:
    """Saves groups of tensors and plain values as `parent/NNNNNNNNN/` and removes all but the newest `keep`.

    Written in a temporary folder beside the target, each file and the folder flushed to disk, then renamed.
    """
    parent.mkdir(parents=True, exist_ok=True)
    target, temporary = parent / f"{images:09d}", parent / f".{images:09d}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name, group in tensors.items():
        save_tensors(temporary / f"{name}.safetensors", group)
    save_json(temporary / "state.json", state)
    save_json(temporary / MANIFEST, {file.name: sha256(file) for file in sorted(temporary.iterdir())})
    sync(temporary)
    if target.exists():  # a damaged one, or one that a resumed run has come back to
        shutil.rmtree(target)
    os.rename(temporary, target)
    sync(parent)
    for old in complete(parent)[:-keep]:
        shutil.rmtree(old)


def has(parent: Path, images: int) -> bool:
    """Whether an undamaged checkpoint stands at so many images."""
    path = parent / f"{images:09d}"
    return path.is_dir() and _fault(path) is None


def complete(parent: Path) -> list[Path]:
    """The folders that were renamed into place, oldest first; their contents are not checked."""
    return sorted(path for path in parent.glob("[0-9]*") if path.is_dir())


def newest(parent: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest undamaged checkpoint under `parent`, if any, and a sentence on each damaged one passed over."""
    passed_over: list[str] = []
    for path in reversed(complete(parent)):
        fault = _fault(path)
        if fault is None:
            return Checkpoint(path), passed_over
        passed_over.append(f"{path}: {fault}; passed over.")
    return None, passed_over


def _fault(path: Path) -> str | None:
    """What is wrong with a checkpoint, or None."""
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "its manifest cannot be read"
    for name, expected in manifest.items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if sha256(file) != expected:
            return f"{name} is damaged (its SHA-256 is not the manifest's)"
    return None
