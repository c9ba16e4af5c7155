"""Pictures on disk: a memory map that was decoded once, drawn from by index. Memory does not grow with their number."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from zerosum.core.batch import Batch, DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.files import cache_dir, digest, save_json, sync
from zerosum.core.pictures import MODES, from_uint8

HELDOUT_FROM = 100  # with fewer pictures than this, none are kept back for judging
_CHUNK = 512
_LARGE = 2 << 30
_STALE_SECONDS = 3 * 24 * 3600


class Pictures:
    """A source of pictures: a uint8 map [N, H, W, C] and, for each, int64 label codes [N, A]; maps of the disk both.

    `rows`, int64 [n], names the pictures that belong to this view, so that views share one map; None means all.
    `heldout_rows` are those of the view kept back for judging. `refused` lists the files that were passed over.
    """

    holds: type[Batch] = Images

    def __init__(
        self,
        name: str,
        shape: DataShape,
        pixels: np.ndarray,
        labels: np.ndarray | None = None,
        *,
        fingerprint: str,
        rows: np.ndarray | None = None,
        heldout_rows: np.ndarray | None = None,
        refused: list[tuple[str, str]] | None = None,
    ):
        wanted = (shape.height, shape.width, shape.channels)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != wanted:
            raise ValueError(f"a map of {pixels.dtype} {pixels.shape}; wanted uint8 [N, {wanted}]")
        if labels is not None and labels.shape != (len(pixels), len(shape.attributes)):
            raise ValueError(f"labels {labels.shape}; wanted [{len(pixels)}, {len(shape.attributes)}]")
        self.name, self.shape, self.fingerprint = name, shape, fingerprint
        self.refused = refused or []
        self._pixels, self._labels = pixels, labels
        _expect_random_rows(pixels)
        self._rows, self._heldout_rows = rows, heldout_rows

    def __len__(self) -> int:
        return len(self._pixels) if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self):,} pictures '{self.name}', {self.shape}>"

    @property
    def rows(self) -> np.ndarray:
        """The places in the map of this view's pictures, int64 [n]: for what is kept beside the map, such as names."""
        return np.arange(len(self._pixels)) if self._rows is None else np.asarray(self._rows)

    def pixels(self, indices: np.ndarray) -> np.ndarray:
        """The pictures at `indices`, int64 [B], as uint8 [B, H, W, C]."""
        return np.array(self._pixels[self._in_map(indices)])

    def labels(self, indices: np.ndarray) -> np.ndarray | None:
        """The label codes at `indices`, int64 [B, A], or None where the pictures carry no labels."""
        return None if self._labels is None else np.array(self._labels[self._in_map(indices)])

    def batch(self, indices: np.ndarray) -> Images:
        """The pictures at `indices`, int64 [B]: x float32 [B, C, H, W] in [-1, 1], y int64 [B, A] or None."""
        labels = self.labels(indices)
        return Images(from_uint8(self.pixels(indices)), None if labels is None else torch.from_numpy(labels))

    def heldout(self) -> Pictures | None:
        """The pictures kept back for judging, of which none is in this view; None where there are too few."""
        if self._heldout_rows is None or len(self._heldout_rows) < 2:
            return None
        return self._view(self._heldout_rows, None, digest([self.fingerprint, "held out"]))

    def subset(self, indices: np.ndarray) -> Pictures:
        """A view of the pictures at `indices`, int64 [n], in that order; what is held out stays the same."""
        indices = np.asarray(indices, np.int64)
        fingerprint = digest([self.fingerprint, hashlib.sha256(indices.tobytes()).hexdigest()])
        return self._view(np.array(self._in_map(indices)), self._heldout_rows, fingerprint)

    def select(self, codes: Mapping[int, Sequence[int]], name: str) -> Pictures:
        """A view, by this name, of the pictures, held-out ones too, whose label of each number (the key) has one of the
        codes beside it. Raises ValueError where there are no labels."""
        if self._labels is None:
            raise ValueError("pictures without labels; wanted labels to select by")
        back = np.empty(0, np.int64) if self._heldout_rows is None else np.asarray(self._heldout_rows)
        mine, back = (self._labelled(rows, codes) for rows in (self.rows, back))
        hashes = [hashlib.sha256(rows.tobytes()).hexdigest() for rows in (mine, back)]
        return self._view(mine, back, digest([self.fingerprint, *hashes]), name)

    def _labelled(self, rows: np.ndarray, codes: Mapping[int, Sequence[int]]) -> np.ndarray:
        """Those of the map's rows, int64 [n], whose labels are as `select` wants them."""
        assert self._labels is not None
        labels = np.asarray(self._labels[rows])
        return rows[np.logical_and.reduce([np.isin(labels[:, number], codes[number]) for number in codes])]

    def _view(
        self, rows: np.ndarray, heldout_rows: np.ndarray | None, fingerprint: str, name: str | None = None
    ) -> Pictures:
        return Pictures(
            name or self.name,
            self.shape,
            self._pixels,
            self._labels,
            fingerprint=fingerprint,
            rows=rows,
            heldout_rows=heldout_rows,
            refused=self.refused,
        )

    def _in_map(self, indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices, np.int64)
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"index {indices.min()} to {indices.max()} of {len(self)} pictures")
        return indices if self._rows is None else np.asarray(self._rows[indices])


# ------------------------------------------------------------------------------- what has been prepared on the disk


class Workshop:
    """A temporary folder of the cache in which a set of pictures is made; `finish` gives it its place, whole.

    `pixels` is a writable uint8 map [num, H, W, C], `labels` int64 [num, A] or None without attributes. Rows that are
    never written are left out by naming only the good ones in `finish`.
    """

    def __init__(self, folder: Path, num: int, shape: DataShape):
        self.folder, self.shape = folder, shape
        self.pixels = _new_map(folder / "pixels.npy", (num, shape.height, shape.width, shape.channels), np.uint8)
        self.labels = (
            _new_map(folder / "labels.npy", (num, len(shape.attributes)), np.int64) if shape.attributes else None
        )

    def label(self, codes: np.ndarray, start: int = 0) -> None:
        """Writes the label codes, int64 [n, A], of the pictures from `start` on; nothing without attributes."""
        if self.labels is not None:
            self.labels[start : start + len(codes)] = codes

    def finish(self, fingerprint: str, train: np.ndarray, heldout: np.ndarray) -> None:
        """Flushes all to the disk and renames the folder; where another process was first, its set stays."""
        self.pixels.flush()
        if self.labels is not None:
            self.labels.flush()
        np.save(self.folder / "train.npy", np.asarray(train, np.int64))
        np.save(self.folder / "heldout.npy", np.asarray(heldout, np.int64))
        save_json(self.folder / "set.json", {"shape": asdict(self.shape), "num": len(self.pixels)})
        for file in self.folder.iterdir():
            sync(file)
        sync(self.folder)
        target = _place(fingerprint)
        if target.exists() and prepared(fingerprint, "") is None:  # damaged: make room
            os.rename(target, self.folder.with_name(f"{self.folder.name}.damaged"))
        try:
            os.rename(self.folder, target)
        except OSError:
            if not target.is_dir():  # where it is one, another process was first, with the same pictures
                raise
        sync(target.parent)


@contextlib.contextmanager
def workshop(num: int, shape: DataShape) -> Iterator[Workshop]:
    """A place to make a set of at most `num` pictures; what is not finished vanishes. Raises Refusal where the cache
    cannot be written: on a full disk at once if that can be seen, else when it happens."""
    try:
        with _made(cache_dir("pictures"), num, shape) as making:
            yield making
    except OSError as error:
        place = os.environ.get("ZEROSUM_CACHE") or "the cache"
        raise Refusal(
            f"{place}: the pictures cannot be kept ({error.strerror or error}). "
            "Make room, or set ZEROSUM_CACHE to another place."
        ) from error


@contextlib.contextmanager
def _made(parent: Path, num: int, shape: DataShape) -> Iterator[Workshop]:
    _sweep(parent)
    needed = num * (shape.height * shape.width * shape.channels + 8 * len(shape.attributes))
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise Refusal(
            f"{num:,} pictures of {shape} need {needed / 1e6:,.0f} MB in {parent}; {free / 1e6:,.0f} MB are left. "
            "Make room, choose a lower resolution, or set ZEROSUM_CACHE to a larger disk."
        )
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".making-"))
    try:
        yield Workshop(folder, num, shape)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder.with_name(f"{folder.name}.damaged"), ignore_errors=True)


def prepared(fingerprint: str, name: str, refused: list[tuple[str, str]] | None = None) -> Pictures | None:
    """The set of this fingerprint from the cache, or None where it is missing or damaged."""
    folder = _place(fingerprint)
    try:
        record = json.loads((folder / "set.json").read_text(encoding="utf-8"))
        shape = DataShape.from_json(record["shape"])
        return Pictures(
            name,
            shape,
            np.load(folder / "pixels.npy", mmap_mode="r"),
            np.load(folder / "labels.npy", mmap_mode="r") if shape.attributes else None,
            fingerprint=fingerprint,
            rows=np.load(folder / "train.npy", mmap_mode="r"),
            heldout_rows=np.load(folder / "heldout.npy", mmap_mode="r"),
            refused=refused,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _expect_random_rows(pixels: np.ndarray) -> None:
    """Tells the system not to read ahead in a large map: for each picture it would fetch a hundred that nobody wants.
    A small one is soon in memory as a whole, and reading ahead brings it there."""
    mapping = getattr(pixels, "_mmap", None)
    if mapping is not None and pixels.nbytes > _LARGE and hasattr(mmap, "MADV_RANDOM"):
        mapping.madvise(mmap.MADV_RANDOM)


# ----------------------------------------------------------------------------------------------------- what is held out


def content_hash(data: bytes) -> np.ndarray:
    """SHA-256 as uint8 [32]."""
    return np.frombuffer(hashlib.sha256(data).digest(), np.uint8)


def content_hashes(pixels: np.ndarray) -> np.ndarray:
    """SHA-256 of each picture of uint8 [n, H, W, C], as uint8 [n, 32]."""
    return np.stack([content_hash(picture.tobytes()) for picture in pixels])


def split(rows: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows held out, of `rows`, int64 [n]: of 100 or more, those whose content hash, of uint8
    [N, 32], falls into a fixed tenth. A copy of a picture falls on the same side as the picture."""
    if len(rows) < HELDOUT_FROM:
        return rows, rows[:0]
    back = np.ascontiguousarray(hashes[rows, :4]).view(">u4")[:, 0] % 10 == 0
    if (~back).sum() < 2:
        return rows, rows[:0]
    return rows[~back], rows[back]


# ----------------------------------------------------------------------------------------------- bars, cores and shapes


@contextlib.contextmanager
def progress_bar(title: str, total: int, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with pictures a second and the time left, none where that is no terminal; yields a function that
    takes how many more are done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    console = Console(stderr=True)
    hidden = not (shown and console.is_terminal)
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as screen:
        task, began = screen.add_task(title, total=total, rate=""), time.monotonic()

        def advance(num: int) -> None:
            done = screen.tasks[0].completed + num
            screen.update(task, completed=done, rate=f"{done / max(1e-9, time.monotonic() - began):,.0f}/s")

        yield advance


def in_parallel(one: Callable[[int], None], num: int, title: str, progress: bool) -> None:
    """Calls `one` for 0 .. num - 1 on all cores. Threads do: Pillow lets go of the interpreter while it works."""
    with progress_bar(title, num, progress) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, num, _CHUNK):  # in chunks, so that the queue does not grow with the data
            for _ in pool.map(one, range(start, min(num, start + _CHUNK))):
                advance(1)


def sides(resolution: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width from a side, or from both. Raises Refusal outside 4 to 4096."""
    both = (resolution, resolution) if isinstance(resolution, int) else tuple(resolution)
    if len(both) != 2:
        raise Refusal(f"resolution {resolution}: wanted one side, or height and width.")
    height, width = both
    if not (4 <= height <= 4096 and 4 <= width <= 4096):
        raise Refusal(f"resolution {resolution}: wanted 4 to 4096 pixels a side.")
    return height, width


def check_channels(channels: int) -> None:
    """Raises Refusal for another number of channels than 1 to 4."""
    if channels not in MODES:
        raise Refusal(f"channels={channels}: wanted 1 (grey), 2 (grey + alpha), 3 (RGB) or 4 (RGBA).")


def _place(fingerprint: str) -> Path:
    return cache_dir("pictures") / fingerprint


def _new_map(path: Path, shape: tuple[int, ...], dtype: type) -> np.memmap:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):  # a map's write to a disk that has filled up kills the process; a call does not
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # a file system that cannot do it
                    raise
    return array


def _sweep(parent: Path) -> None:
    """Removes what killed processes left behind days ago."""
    for folder in parent.glob(".making-*"):
        with contextlib.suppress(OSError):
            newest = max(file.stat().st_mtime for file in [folder, *folder.iterdir()])
            if time.time() - newest > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
