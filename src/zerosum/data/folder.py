"""Any folder or zip of pictures, as training data: decoded once, on all cores, into the cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from PIL import ImageColor

from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.files import cache_dir, digest, save_json
from zerosum.data.decode import (
    DECODING,
    MAX_FRAMES,
    SUFFIXES,
    Unreadable,
    careful,
    decode,
    foreign,
    formats,
    frames,
    num_frames,
)
from zerosum.data.labels import Labels
from zerosum.data.pictures import (
    Pictures,
    Workshop,
    check_channels,
    content_hash,
    in_parallel,
    prepared,
    sides,
    split,
    workshop,
)
from zerosum.data.tree import Lost, Tree, open_tree, printable


def folder(
    path: str | Path,
    resolution: int | tuple[int, int] = 64,
    *,
    channels: int = 3,
    ground: str = "white",
    frames: Literal["first", "all"] = "first",
    progress: bool = True,
) -> Pictures:
    """The pictures of a folder tree or a zip, cropped to `resolution` (a side, or height and width) about their middle.

    `channels`: 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA; with 1 and 3, what is see-through lies on the colour `ground`, a
    name or #rrggbb. `frames`: of moving pictures (GIF, WebP, APNG, AVIF) the first frame, or all up to 256 a file, each
    a picture of its own. Labels come from `labels.csv` (a heading; the file's name, then a column a label), else from
    `dataset.json` ({"labels": [[file, code], ...]}), else from the names of the subfolders, as the attribute "class".
    What cannot be read is passed over; `.refused` lists it with the reason, by names fit for print. Of 100 pictures or
    more, those whose file's content hash falls into a fixed tenth are held out. Raises Refusal for a path that does not
    exist or has fewer than two readable pictures, for labels that cannot be understood, and for a full disk.
    """
    path, look = Path(path), _look(resolution, channels, ground, frames)
    tree = open_tree(path)
    name = printable(path.resolve().stem if path.is_file() else path.resolve().name)
    passed = _passed_over(tree)
    files = tree.pictures()
    if not files or (len(files) < 2 and look.most == 1):
        raise Refusal(f"{path}: {_holds(tree, files, passed)}. Wanted at least two pictures ({_some(SUFFIXES)}).")
    intake = _Intake(files, Labels(path, tree, files), look)
    note = _Note(path, tree, look.recipe)
    known = note.pictures(name)
    if known is None and note.is_worth_rehashing:
        intake.hash_only(tree, progress)
        known = prepared(intake.fingerprint, name, note.refused)
    if known is None:
        intake.decode(path, tree, progress)
        known = prepared(intake.fingerprint, name, intake.refused)
        note.refused = intake.refused
    if known is None:
        raise RuntimeError(f"the set {intake.fingerprint} vanished from the cache while it was made")
    if intake.fingerprint:
        note.keep(intake.fingerprint, sure=not intake.lost)
    known.refused = sorted([*known.refused, *passed])
    return known


@dataclass(frozen=True)
class _Look:
    """What the pictures shall look like: height, width, channels, the colour under them, frames of one file."""

    height: int
    width: int
    channels: int
    ground: tuple[int, int, int]
    most: int

    @property
    def recipe(self) -> list:
        """What decides the pixels, beside the files."""
        ground = self.ground if self.channels in (1, 3) else None
        return [DECODING, self.height, self.width, self.channels, ground, self.most, formats()]


def _look(resolution: int | tuple[int, int], channels: int, ground: str, frames: str) -> _Look:
    check_channels(channels)
    if frames not in ("first", "all"):
        raise Refusal(f"frames={frames!r}: wanted 'first' or 'all'.")
    try:
        red, green, blue = ImageColor.getrgb(ground)[:3]
    except (ValueError, AttributeError) as error:
        raise Refusal(f"ground={ground!r}: no colour. Wanted a name such as white, or #rrggbb.") from error
    return _Look(*sides(resolution), channels, (red, green, blue), MAX_FRAMES if frames == "all" else 1)


# -------------------------------------------------------------------------------------------------- the whole intake


class _Intake:
    """Hashes and pixels of a list of files, and what is wrong with some of them.

    Each file has one row of the set, or one a frame: those from `starts[i]` to `starts[i + 1]`.
    """

    def __init__(self, names: Sequence[str], labels: Labels, look: _Look):
        self.names, self.labels, self.look = names, labels, look
        self.hashes = np.zeros((len(names), 32), np.uint8)
        self.starts = np.arange(len(names) + 1)
        self.reasons: dict[int, str] = dict(labels.missing)
        self.lost: set[int] = set()
        self.fingerprint = ""

    @property
    def refused(self) -> list[tuple[str, str]]:
        """What was passed over, each file with its reason, by name."""
        return [(printable(self.names[i]), reason) for i, reason in sorted(self.reasons.items())]

    def hash_only(self, tree: Tree, progress: bool) -> None:
        """Fingerprints the files without decoding them, as if all were good that were good before."""

        def one(i: int) -> None:
            with contextlib.suppress(Unreadable), self._held(tree, i):
                pass

        in_parallel(one, len(self.names), "reading", progress)
        self._fingerprint()

    def decode(self, path: Path, tree: Tree, progress: bool) -> None:
        """Decodes all files into a new set of the cache. Raises Refusal if fewer than two pictures can be read."""
        look = self.look
        with careful():
            if look.most > 1:
                self._count(tree, progress)
            shape = DataShape(look.height, look.width, look.channels, self.labels.attributes)
            good = np.zeros(self.starts[-1], bool)
            with workshop(len(good), shape) as making:

                def one(i: int) -> None:
                    try:
                        with self._held(tree, i) as data:
                            self._draw(i, data, making.pixels, good)
                    except Unreadable as error:
                        self.reasons[i] = str(error)

                in_parallel(one, len(self.names), "reading pictures", progress)
                self._fingerprint()
                self._finish(path, making, np.flatnonzero(good))

    @contextlib.contextmanager
    def _held(self, tree: Tree, i: int) -> Iterator[bytes]:
        """A file's bytes, with its hash taken. Raises Unreadable."""
        try:
            with tree.held(self.names[i]) as data:
                self.hashes[i] = content_hash(data)
                yield data
        except Lost:
            self.lost.add(i)
            raise

    def _count(self, tree: Tree, progress: bool) -> None:
        """Makes room for the frames; a file that cannot be read keeps one row, and is named when it is decoded."""
        counts = np.ones(len(self.names), np.int64)

        def one(i: int) -> None:
            with contextlib.suppress(Unreadable), tree.held(self.names[i]) as data:
                counts[i] = num_frames(data)
            if counts[i] > self.look.most:
                self.reasons.setdefault(
                    i, f"{counts[i] - self.look.most:,} of its frames; of one file, {self.look.most} are taken"
                )

        in_parallel(one, len(self.names), "counting frames", progress)
        self.starts[1:] = np.cumsum(counts.clip(1, self.look.most))

    def _draw(self, i: int, data: bytes, pixels: np.ndarray, good: np.ndarray) -> None:
        if i in self.labels.missing:
            return
        look, first = self.look, self.starts[i]
        if look.most == 1:
            pixels[first] = decode(data, look.height, look.width, look.channels, look.ground)
            good[first] = True
            return
        drawn = frames(data, look.height, look.width, look.channels, look.ground, self.starts[i + 1] - first)
        row = first
        try:
            for row, frame in enumerate(drawn, first):
                pixels[row], good[row] = frame, True
        except Unreadable as error:
            raise error if not good[first] else Unreadable(f"from frame {row - first + 2} on: {error}") from error

    def _finish(self, path: Path, making: Workshop, rows: np.ndarray) -> None:
        if len(rows) < 2:
            what = f"{len(rows)} of {len(self.names)} pictures can be read"
            raise Refusal(f"{path}: {what}{_listed(self.refused)}. Wanted at least two.")
        counts = np.diff(self.starts)
        making.label(self.labels.codes.repeat(counts, axis=0))
        train, heldout = split(rows, self.hashes.repeat(counts, axis=0))
        making.finish(self.fingerprint, train, heldout)

    def _fingerprint(self) -> None:
        """Over every file's content and labels in the order of names, the bad ones too: they decide the numbering."""
        whole = hashlib.sha256(self.hashes.tobytes())
        whole.update(self.labels.codes.tobytes())
        attributes = [[a.name, list(a.classes)] for a in self.labels.attributes]
        self.fingerprint = digest([self.look.recipe, attributes, whole.hexdigest()])


# -------------------------------------------------------------------------------------------------- what is passed over


def _passed_over(tree: Tree) -> list[tuple[str, str]]:
    """What is not even tried: what the tree could not enter, and pictures of kinds that are not taken."""
    kinds = ((entry[0], foreign(entry[0])) for entry in tree.entries)
    return [(printable(name), reason) for name, reason in [*tree.refused, *kinds] if reason is not None]


def _holds(tree: Tree, files: Sequence[str], passed: Sequence[tuple[str, str]]) -> str:
    if not tree.entries:
        return f"it holds nothing that can be read{_listed(passed)}" if passed else "it is empty"
    kinds = Counter(PurePosixPath(entry[0]).suffix.lower() or "no ending" for entry in tree.entries)
    common = ", ".join(f"{num} {printable(kind)}" for kind, num in kinds.most_common(3))
    held = f"it holds {len(files) or 'no'} picture{'' if len(files) == 1 else 's'} among its files ({common})"
    return held + _listed(passed)


def _listed(refused: Sequence[tuple[str, str]], most: int = 3) -> str:
    shown = "; ".join(f"{name or 'the folder itself'}: {reason}" for name, reason in refused[:most])
    return f" ({shown})" if shown else ""


def _some(suffixes: Iterable[str]) -> str:
    return ", ".join(suffix for suffix in (".jpg", ".png", ".webp", ".gif") if suffix in suffixes) + ", ..."


class _Note:
    """What the cache remembers of a folder, so that a second start neither reads nor decodes the pictures.

    Found by names and sizes; where the times of change are the same as well, the set is taken without reading a file,
    else the files are hashed again before anything is decoded. Files that could not be read are tried at each start.
    """

    def __init__(self, path: Path, tree: Tree, recipe: list):
        likely = hashlib.sha256(digest(recipe).encode())
        exact = hashlib.sha256(os.fsencode(path.resolve()))
        for name, size, mark in tree.entries:
            likely.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
            exact.update(mark.to_bytes(8, "little", signed=True))
        self.exact = exact.hexdigest()
        self.file = cache_dir("folders") / f"{likely.hexdigest()[:32]}.json"
        try:
            self.record: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.record = {}
        self.refused: list[tuple[str, str]] = [(name, reason) for name, reason in self.record.get("refused", [])]

    @property
    def is_worth_rehashing(self) -> bool:
        """Whether files of the same names and sizes have been prepared before."""
        return "fingerprint" in self.record

    def pictures(self, name: str) -> Pictures | None:
        """The prepared set, if not a single file has changed since."""
        if not self.is_worth_rehashing or self.record.get("exact") != self.exact:
            return None
        return prepared(self.record["fingerprint"], name, self.refused)

    def keep(self, fingerprint: str, sure: bool) -> None:
        """Remembers the set; `sure` is False where the files may be others at the next start without a newer date."""
        record = {"exact": self.exact if sure else "", "fingerprint": fingerprint, "refused": self.refused}
        with contextlib.suppress(OSError, Refusal):  # without a note the next start takes longer, and no more
            save_json(self.file, record)
