"""What is in a folder, a zip or a named set: counts, sizes, labels, copies, and what to make of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.core.batch import Images
from zerosum.core.pictures import MODES, on_checkers
from zerosum.data.catalog import open_data, refuse_other
from zerosum.data.likeness import SIDE, Looks, joined, look, members, near, same
from zerosum.data.pictures import Pictures, content_hashes, progress_bar
from zerosum.data.shelf import Facts, Shelf, gather

_CHUNK = 1024


@dataclass(frozen=True)
class Inspection:
    """Facts on a set of pictures, and which of them are alike.

    `copies`, int64 [n]: for each picture the first of equal content; `alike`, int64 [n]: the first that looks nearly
    the same, copies included. `is_named`: a set of the catalogue, of which only the prepared pictures are seen.
    `left_alone`: a line on files of other kinds beside the pictures.
    """

    source: str
    is_named: bool
    facts: Facts
    copies: np.ndarray
    alike: np.ndarray
    picture: Callable[[int, int], np.ndarray]  # row of the facts and side: uint8 [side, side, 3]
    left_alone: str = ""

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def num_copies(self) -> int:
        """How many pictures have the content of an earlier one."""
        return int((self.copies != np.arange(len(self))).sum())

    @property
    def num_alike(self) -> int:
        """How many more look nearly like an earlier one."""
        return int((self.alike != np.arange(len(self))).sum()) - self.num_copies

    def pairs(self, most: int) -> list[tuple[int, int]]:
        """Two of each of the largest groups of near duplicates; where these are few, of copies."""
        first = [(int(g[0]), self._other(g)) for g in members(self.alike) if len({*self.copies[g]}) > 1]
        copies = [(int(g[0]), int(g[1])) for g in members(self.copies)]
        return [*first[: max(most - min(2, len(copies)), 0)], *copies, *first[most:]][:most]

    def _other(self, group: np.ndarray) -> int:
        """The nearest to the group's first that is no copy of it."""
        others = group[self.copies[group] != self.copies[group[0]]]
        minis = self.facts.looks.miniatures
        return int(others[np.abs(minis[others].astype(np.int16) - minis[group[0]]).mean(axis=(1, 2, 3)).argmin()])

    def balance(self) -> dict[str, dict[str, int]]:
        """How many pictures each class of each attribute has."""
        return {
            attribute.name: dict(
                zip(attribute.classes, np.bincount(codes, minlength=len(attribute.classes)).tolist(), strict=True)
            )
            for attribute, codes in zip(self.facts.attributes, self.facts.codes.T, strict=True)
        }

    def reasons(self) -> list[tuple[str, list[str]]]:
        """The refused files by reason, the most frequent first; details do not count."""
        groups: dict[str, list[str]] = {}
        for name, reason in self.facts.refused:
            kind = "too large" if "megapixels" in reason else re.split(r" \(|; ", reason)[0]
            groups.setdefault(kind, []).append(name)
        return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))

    def record(self) -> dict[str, Any]:
        """All of it in plain values."""
        facts, names = self.facts, self.facts.names
        width, height = facts.sizes.T
        aspects = width / height
        return {
            "data": self.source,
            "pictures": len(self),
            "width": _spread(width),
            "height": _spread(height),
            "aspect": _spread(aspects),
            "sizes": [[w, h, num] for (w, h), num in Counter(map(tuple, facts.sizes.tolist())).most_common(10)],
            "modes": dict(Counter(facts.modes).most_common()),
            "formats": dict(Counter(facts.formats).most_common()),
            "see_through": int(facts.clear.sum()),
            "grey": int(facts.grey.sum()),
            "turned": int(facts.turned.sum()),
            "labels": self.balance(),
            "copies": [[names[i] for i in group] for group in members(self.copies)],
            "alike": [[names[i] for i in group] for group in members(self.alike)],
            "num_copies": self.num_copies,
            "num_alike": self.num_alike,
            "refused": [{"reason": reason, "files": files} for reason, files in self.reasons()],
            "left_alone": self.left_alone,
        }


def inspect(name_or_path: str, progress: bool = True) -> Inspection:
    """Looks at each picture once. Memory: about a kilobyte a picture.

    Raises Refusal for what is neither a folder or zip with readable pictures nor the name of a set.
    """
    if not Path(name_or_path).exists():
        refuse_other(name_or_path, Images, "inspect looks at")
        return _of_set(name_or_path, open_data(name_or_path, 64, progress), progress)
    shelf = Shelf(Path(name_or_path))
    facts = gather(shelf, progress)

    def picture(row: int, side: int) -> np.ndarray:
        return on_checkers(shelf.picture(int(facts.rows[row]), side, side, 4))

    return Inspection(name_or_path, False, facts, *_alike(facts), picture, shelf.left_alone)


def _of_set(name: str, pictures: Pictures, progress: bool) -> Inspection:
    """A named set, with what is held out: a heldout picture with a copy among the others would be news."""
    heldout = pictures.heldout()
    parts = [part for part in (pictures, heldout) if part is not None]
    num, shape = sum(map(len, parts)), pictures.shape
    looks, hashes, grey, clear = (
        Looks.empty(num),
        np.zeros((num, 32), np.uint8),
        np.ones(num, bool),
        np.zeros(num, bool),
    )
    places = [(part, i) for part in parts for i in range(0, len(part), _CHUNK)]
    start, codes = 0, []
    with progress_bar("looking at pictures", num, progress) as advance:
        for part, i in places:
            rows = np.arange(i, min(len(part), i + _CHUNK))
            pixels, stop = part.pixels(rows), start + len(rows)
            hashes[start:stop] = content_hashes(pixels)
            clear[start:stop] = (pixels[..., -1] < 250).any(axis=(1, 2)) if shape.channels in (2, 4) else False
            rgb = _rgb(pixels)
            grey[start:stop] = np.ptp(rgb.astype(np.int16), axis=-1).max(axis=(1, 2)) <= 8
            seen = look(_small(rgb))
            looks.hashes[start:stop], looks.miniatures[start:stop] = seen.hashes, seen.miniatures
            codes.append(part.labels(rows))
            advance(len(rows))
            start = stop
    facts = Facts(
        rows=np.arange(num),
        names=[f"{name}[{i}]" for i in range(num)],
        sizes=np.tile(np.array([[shape.width, shape.height]]), (num, 1)),
        modes=[MODES[shape.channels]] * num,
        formats=["prepared"] * num,
        clear=clear,
        grey=grey,
        turned=np.zeros(num, bool),
        hashes=hashes,
        looks=looks,
        codes=np.concatenate([c for c in codes if c is not None]) if shape.attributes else np.zeros((num, 0), np.int64),
        attributes=shape.attributes,
        refused=pictures.refused,
    )

    def picture(row: int, side: int) -> np.ndarray:
        part = parts[0] if row < len(parts[0]) else parts[1]
        pixels = part.pixels(np.array([row if part is parts[0] else row - len(parts[0])]))
        return _resized(_rgb(pixels)[0], side)

    return Inspection(name, True, facts, *_alike(facts), picture)


def _alike(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """Groups of equal content, and of near duplicates; content is compared first, so that a thousand copies of one
    picture cost no more than one."""
    copies = same(facts.hashes)
    own = np.flatnonzero(copies == np.arange(len(facts)))
    alike = own[near(facts.looks[own])]
    groups = joined(np.arange(len(facts)), own, alike)
    return copies, groups[copies]


def groups(facts: Facts) -> np.ndarray:
    """For each picture the first that is nearly or wholly the same, int64 [n]."""
    return _alike(facts)[1]


def _spread(values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(values, [0, 50, 100]).tolist()
    return {"least": round(low, 3), "median": round(middle, 3), "most": round(high, 3)}


def _rgb(pixels: np.ndarray) -> np.ndarray:
    pixels = on_checkers(pixels)
    return pixels if pixels.shape[-1] == 3 else pixels.repeat(3, axis=-1)


def _small(rgb: np.ndarray) -> np.ndarray:
    if rgb.shape[1] % SIDE == 0 and rgb.shape[2] % SIDE == 0:
        n, height, width, _ = rgb.shape
        blocks = rgb.reshape(n, SIDE, height // SIDE, SIDE, width // SIDE, 3)
        return blocks.mean(axis=(2, 4)).round().astype(np.uint8)
    return np.stack([_resized(picture, SIDE) for picture in rgb])


def _resized(rgb: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(Image.fromarray(rgb), (side, side), Image.Resampling.BICUBIC))
