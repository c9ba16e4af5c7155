"""Files that are whole or not there: written beside their place, flushed to disk, renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from zerosum.core.errors import Refusal

if TYPE_CHECKING:
    from torch import Tensor

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room on the disk, in the quota, in a file


def cache_dir(*parts: str) -> Path:
    """A folder of the cache, made if it is missing: `ZEROSUM_CACHE`, else the platform's own place for caches."""
    root = os.environ.get("ZEROSUM_CACHE") or platformdirs.user_cache_dir("zerosum")
    folder = Path(root, *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sync(path: Path) -> None:
    """Flushes a file or a folder's entries to the disk, as far as its file system can."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network folders flush no folders
            raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def written(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; it takes `path`'s place when the block ends well, and vanishes when not.

    Beside it, because a rename does not lead from one file system to another. Raises Refusal where the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with room_for(path):
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Raises Refusal if the block finds no room for `path` on its disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise Refusal(
            f"{path}: no room to write it ({error.strerror}). What was saved before is still there: free some space, "
            "then give the same command again."
        ) from error


def to_json(value: Any) -> str:
    """Indented JSON, as `save_json` writes it."""
    return json.dumps(value, indent=2) + "\n"


def save_json(path: Path, value: Any) -> None:
    """Writes indented JSON, whole or not at all."""
    with written(path) as temporary:
        temporary.write_text(to_json(value), encoding="utf-8")


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Writes safetensors, whole or not at all. Memory formats are not kept."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with written(path) as temporary:
        whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        try:
            save_file(whole, temporary, dict(metadata or {}))
        except SafetensorError as error:  # it tells the system's errors in words alone
            if number := re.search(r"os error (\d+)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
            raise


def sha256(path: Path) -> str:
    """The file's SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """A short hash, 16 hex digits, of anything that JSON can hold; the order of keys does not count."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
