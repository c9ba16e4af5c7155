"""The picture files of a folder or a zip with their labels, read one by one: what inspects and prepares works on."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal
from zerosum.data.catalog import DATA
from zerosum.data.decode import Unreadable, careful, decode, foreign, opened, orientation
from zerosum.data.labels import Labels
from zerosum.data.likeness import SIDE, Looks, look
from zerosum.data.pictures import content_hash, in_parallel
from zerosum.data.tree import open_tree, printable


class Shelf:
    """The picture files under `path`, a folder or a zip, sorted by name; none is read yet.

    `names` are theirs, `refused` what intake passes over unread, `left_alone` a line on what else lies there. Raises
    Refusal for a path that does not exist or holds no picture files, and for a set's name.
    """

    def __init__(self, path: Path):
        if str(path) in DATA and not path.exists():
            raise Refusal(f"{path} is a set by name, and these come prepared. Wanted a folder or a zip of pictures.")
        self.path, self._tree = path, open_tree(path)
        entries, self.names = [entry[0] for entry in self._tree.entries], self._tree.pictures()
        self.refused = [*self._tree.refused, *((name, why) for name in entries if (why := foreign(name)))]
        self.left_alone = self._tree.left_alone(self.names)
        if not self.names:
            raise Refusal(f"{path}: none of its {len(entries):,} files is a picture. Wanted .jpg, .png, .webp, ...")

    @functools.cached_property
    def labels(self) -> Labels:
        """What intake makes of their labels. Raises Refusal for labels that cannot be understood."""
        return Labels(self.path, self._tree, self.names)

    def __len__(self) -> int:
        return len(self.names)

    def held(self, row: int) -> AbstractContextManager[bytes]:
        """A file's bytes while they are worked on: of large files one at a time. Raises Unreadable."""
        return self._tree.held(self.names[row])

    def picture(self, row: int, height: int, width: int, channels: int = 3) -> np.ndarray:
        """The picture as training would see it, uint8 [height, width, channels]. Raises Unreadable."""
        with self.held(row) as data:
            return decode(data, height, width, channels)


@dataclass(frozen=True)
class Facts:
    """What is known of n readable pictures: `rows` of the shelf, int64 [n]; `names`; `sizes`, int64 [n, 2], width and
    height when upright; `modes` and `formats`, as Pillow calls them; whether they are see-through somewhere, without
    colour, turned by EXIF, bool [n] each; `hashes` of content, uint8 [n, 32]; `looks`; label codes, int64 [n, A].
    """

    rows: np.ndarray
    names: list[str]
    sizes: np.ndarray
    modes: list[str]
    formats: list[str]
    clear: np.ndarray
    grey: np.ndarray
    turned: np.ndarray
    hashes: np.ndarray
    looks: Looks
    codes: np.ndarray
    attributes: tuple[Attribute, ...]
    refused: list[tuple[str, str]]

    def __len__(self) -> int:
        return len(self.rows)

    def among(self, keep: np.ndarray) -> Facts:
        """The same of the pictures where `keep`, bool [n]; what is refused stays."""
        at = np.flatnonzero(keep)
        chosen: dict[str, Any] = {name: [getattr(self, name)[i] for i in at] for name in ("names", "modes", "formats")}
        for name in ("rows", "sizes", "clear", "grey", "turned", "hashes", "looks", "codes"):
            chosen[name] = getattr(self, name)[at]
        return replace(self, **chosen)


def gather(shelf: Shelf, progress: bool = True) -> Facts:
    """Reads all files of the shelf once, on all cores, and keeps a kilobyte of each. Those that cannot be read, or
    have no label where others have one, are left out and listed as refused. Raises Refusal if none is left."""
    num = len(shelf)
    flags, sizes = np.zeros((num, 3), bool), np.zeros((num, 2), np.int64)
    hashes, looks = np.zeros((num, 32), np.uint8), Looks.empty(num)
    modes, kinds, reasons = [""] * num, [""] * num, dict(shelf.labels.missing)

    def one(i: int) -> None:
        try:
            with shelf.held(i) as data:
                hashes[i] = content_hash(data)
                pixels = decode(data, SIDE, SIDE, 4)
                modes[i], kinds[i], sizes[i], turned = _header(data)
        except Unreadable as error:
            reasons[i] = str(error)
            return
        flags[i] = bool((pixels[..., 3] < 250).any()), _is_grey(pixels), turned
        seen = look(_on_white(pixels)[None])
        looks.hashes[i], looks.miniatures[i] = seen.hashes[0], seen.miniatures[0]

    with careful():
        in_parallel(one, num, "looking at pictures", progress)
    refused = sorted((printable(name), reason) for name, reason in [
        *((shelf.names[i], reason) for i, reason in reasons.items()), *shelf.refused])  # fmt: skip
    if len(reasons) == num:
        worst = "; ".join(f"{name}: {reason}" for name, reason in refused[:3])
        raise Refusal(f"{shelf.path}: none of its {num:,} pictures can be read ({worst}).")
    names = [printable(name) for name in shelf.names]
    clear, grey, turned = flags.T
    everything = Facts(np.arange(num), names, sizes, modes, kinds, clear, grey, turned, hashes, looks,
                       shelf.labels.codes, shelf.labels.attributes, refused)  # fmt: skip
    return everything.among(~np.isin(np.arange(num), list(reasons)))


def _header(data: bytes) -> tuple[str, str, tuple[int, int], bool]:
    """Mode, format, width and height when upright, and whether EXIF turns it; of a file that decodes."""
    with opened(data) as picture:
        turn = orientation(picture)
        size = picture.size[::-1] if 4 < turn <= 8 and picture.format != "TIFF" else picture.size
        return picture.mode, picture.format or "?", size, 1 < turn <= 8


def _is_grey(pixels: np.ndarray) -> bool:
    colours = pixels[..., :3].astype(np.int16)
    return int(np.ptp(colours, axis=-1).max()) <= 8  # JPEG's colours wander by a few levels


def _on_white(pixels: np.ndarray) -> np.ndarray:
    alpha = pixels[..., 3:] / np.float32(255)
    return (pixels[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
