"""Pictures in pairs, what is given and what it should become: two sets whose rows belong together, or two folders."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.core.batch import Batch, DataShape, Pairs
from zerosum.core.errors import Refusal
from zerosum.core.files import digest
from zerosum.data.decode import DECODING, Unreadable, careful, decode, formats
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
from zerosum.data.tree import Tree, inner, open_tree, printable

RECIPE = 1  # raise it when the same files would give other pairs


class PairedPictures:
    """A source of pairs: `x`, what is given, and `y`, what it should become, are sets of one shape, row by row.

    Raises ValueError if their shapes or their rows, held out ones too, are not the same.
    """

    holds: type[Batch] = Pairs

    def __init__(self, name: str, x: Pictures, y: Pictures):
        if x.shape != y.shape:
            raise ValueError(f"pairs of {x.shape} and {y.shape}; wanted one shape")
        if not (np.array_equal(x.rows, y.rows) and np.array_equal(_heldout_rows(x), _heldout_rows(y))):
            raise ValueError("the rows of the two sets differ; wanted two sets that were made row by row")
        self.name, self.x, self.y = name, x, y
        self.shape, self.refused = x.shape, x.refused
        self.fingerprint = digest(["pairs", x.fingerprint, y.fingerprint])

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"<{len(self):,} pairs '{self.name}', {self.shape}>"

    def batch(self, indices: np.ndarray) -> Pairs:
        """The pairs at `indices`, int64 [B]: x and y, float32 [B, C, H, W] in [-1, 1]."""
        return Pairs(self.x.batch(indices).x, self.y.batch(indices).x)

    def heldout(self) -> PairedPictures | None:
        """The pairs kept back for judging, of which no half is in this set; None where there are too few."""
        x, y = self.x.heldout(), self.y.heldout()
        return None if x is None or y is None else PairedPictures(self.name, x, y)

    def subset(self, indices: np.ndarray) -> PairedPictures:
        """The pairs at `indices`, int64 [n], in that order; what is held out stays the same."""
        return PairedPictures(self.name, self.x.subset(indices), self.y.subset(indices))


def _heldout_rows(pictures: Pictures) -> np.ndarray:
    heldout = pictures.heldout()
    return np.empty(0, np.int64) if heldout is None else heldout.rows


# ------------------------------------------------------------------------------------------------ pairs in the cache


@dataclass(frozen=True)
class PairWorkshop:
    """Where pairs are made: a workshop for what is given, and one for what it should become."""

    x: Workshop
    y: Workshop

    def finish(self, fingerprint: str, train: np.ndarray, heldout: np.ndarray) -> None:
        """As `Workshop.finish`."""
        for half, making in zip(_halves(fingerprint), (self.x, self.y), strict=True):
            making.finish(half, train, heldout)


@contextlib.contextmanager
def pair_workshop(num: int, shape: DataShape) -> Iterator[PairWorkshop]:
    """A place to make at most `num` pairs, as `workshop` is for pictures. Raises Refusal on a full disk."""
    with workshop(num, shape) as x, workshop(num, shape) as y:
        yield PairWorkshop(x, y)


def prepared_pairs(fingerprint: str, name: str, refused: list[tuple[str, str]] | None = None) -> PairedPictures | None:
    """The pairs of this fingerprint from the cache, or None where a half is missing or damaged."""
    x, y = (prepared(half, name, refused) for half in _halves(fingerprint))
    return None if x is None or y is None else PairedPictures(name, x, y)


def _halves(fingerprint: str) -> tuple[str, str]:
    return digest([fingerprint, "x"]), digest([fingerprint, "y"])


# ------------------------------------------------------------------------------------------------------- two folders


def paired_folder(
    path: str | Path,
    resolution: int | tuple[int, int] = 64,
    *,
    channels: int = 3,
    halves: tuple[str, str] | None = None,
    progress: bool = True,
) -> PairedPictures:
    """The pairs of a folder or zip with two subfolders, such as a/0001.png and b/0001.jpg: equal but for the ending.

    `halves` names the subfolder of what is given and that of what it should become; without it there have to be just
    two, taken in the order of their names. Pictures are cropped to `resolution` and brought to `channels` as `folder`
    does. A pair of which one half is missing or cannot be read is passed over; `.refused` lists it with the reason. Of
    100 pairs or more a tenth is held out, by the first half's content. Raises Refusal where there are not two such
    folders, and for fewer than two good pairs.
    """
    path, (height, width) = Path(path), sides(resolution)
    check_channels(channels)
    tree = open_tree(path)
    name = printable(path.resolve().stem if path.is_file() else path.resolve().name)
    intake = _Intake(path, tree, _Partners(path, tree, halves), DataShape(height, width, channels))
    intake.hash(progress)
    known = prepared_pairs(intake.fingerprint, name)
    if known is None:
        intake.prepare(progress)
        known = prepared_pairs(intake.fingerprint, name)
    else:
        intake.try_again(known)
    if known is None:
        raise RuntimeError(f"the pairs {intake.fingerprint} vanished from the cache while they were made")
    known.refused = intake.refused
    return known


class _Partners:
    """The pairs of files, `files`, by stem, and `lonely` ones with the reason why they are none."""

    def __init__(self, path: Path, tree: Tree, halves: tuple[str, str] | None):
        self.files: list[tuple[str, str]] = []
        self.lonely: list[tuple[str, str]] = list(tree.refused)
        groups = self._grouped(tree.pictures())
        first, second = halves or self._two(path, sorted(groups))
        for half in (first, second):
            if half not in groups:
                raise Refusal(f"{path}: no pictures in a subfolder '{half}'. It has: {_listed(sorted(groups))}.")
        self._match(path, (first, groups[first]), (second, groups[second]))

    def _grouped(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """File by stem, by subfolder of the innermost folder that holds all: a zip often has one around the two."""
        groups: dict[str, dict[str, str]] = {}
        for name, path in zip(names, inner(names), strict=True):
            parts = path.with_suffix("").parts
            if len(parts) > 1:
                group, stem = groups.setdefault(parts[0], {}), "/".join(parts[1:])
                if stem in group:
                    self.lonely.append(
                        (name, f"of the same name as {PurePosixPath(group[stem]).name} but for the ending")
                    )
                group.setdefault(stem, name)
        return groups

    @staticmethod
    def _two(path: Path, names: list[str]) -> tuple[str, str]:
        if len(names) != 2:
            raise Refusal(
                f"{path}: has {len(names) or 'no'} subfolder{'' if len(names) == 1 else 's'} with pictures "
                f"({_listed(names)}). Wanted two with files of equal names, such as a/0001.png and b/0001.png."
            )
        return names[0], names[1]

    def _match(self, path: Path, first: tuple[str, dict[str, str]], second: tuple[str, dict[str, str]]) -> None:
        stems = sorted(first[1].keys() & second[1].keys())
        if not stems:
            examples = " and ".join(f"{name}/{min(group)}" for name, group in (first, second))
            raise Refusal(
                f"{path}: no file of the one subfolder has a partner in the other, as {examples} show. "
                "Wanted equal names, such as a/0001.png and b/0001.png."
            )
        self.files = [(first[1][stem], second[1][stem]) for stem in stems]
        for (_, group), (other, partners) in ((first, second), (second, first)):
            self.lonely += [
                (group[stem], f"has no partner in {other}/") for stem in sorted(group.keys() - partners.keys())
            ]


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(printable(name) for name in names[:most])
    return (f"{shown}, ..." if len(names) > most else shown) or "none"


class _Intake:
    """Hashes and pixels of pairs of files, and what is wrong with some of them, by row."""

    def __init__(self, path: Path, tree: Tree, partners: _Partners, shape: DataShape):
        self.path, self.tree, self.shape = path, tree, shape
        self.files, self.lonely = partners.files, partners.lonely
        self.hashes = np.zeros((len(self.files), 2, 32), np.uint8)
        self.reasons: dict[int, tuple[str, str]] = {}
        self.fingerprint = ""

    @property
    def refused(self) -> list[tuple[str, str]]:
        """What was passed over, each file with its reason, by name."""
        return sorted((printable(name), reason) for name, reason in [*self.lonely, *self.reasons.values()])

    def hash(self, progress: bool) -> None:
        """Reads every file, whole; the fingerprint covers them all, the bad ones too: they decide the numbering."""

        def one(i: int) -> None:
            for half in (0, 1):
                with contextlib.suppress(Unreadable), self._held(i, half):
                    pass

        in_parallel(one, len(self.files), "reading", progress)
        self._fingerprint()

    @contextlib.contextmanager
    def _held(self, i: int, half: int) -> Iterator[bytes]:
        """A file's bytes, with its hash taken, which is zeros where it cannot be read. Raises Unreadable."""
        self.hashes[i, half] = 0
        with self.tree.held(self.files[i][half]) as data:
            self.hashes[i, half] = content_hash(data)
            yield data

    def _fingerprint(self) -> None:
        recipe = [RECIPE, DECODING, str(self.shape), formats()]
        self.fingerprint = digest(["paired folder", recipe, hashlib.sha256(self.hashes.tobytes()).hexdigest()])

    def prepare(self, progress: bool) -> None:
        """Decodes all pairs into the cache. Raises Refusal if fewer than two are good."""
        with pair_workshop(len(self.files), self.shape) as making, careful():

            def one(i: int) -> None:
                for half, into in enumerate((making.x, making.y)):
                    pixels = self._decoded(i, half)
                    if pixels is not None:
                        into.pixels[i] = pixels

            in_parallel(one, len(self.files), "reading pairs", progress)
            self._fingerprint()  # anew: a file may have changed or vanished since it was hashed
            good = np.array([i for i in range(len(self.files)) if i not in self.reasons], np.int64)
            if len(good) < 2:
                worst = "; ".join(f"{name}: {reason}" for name, reason in self.refused[:3])
                raise Refusal(f"{self.path}: {len(good)} of {len(self.files)} pairs can be read ({worst}). Wanted 2.")
            making.finish(self.fingerprint, *split(good, self.hashes[:, 0]))

    def try_again(self, known: PairedPictures) -> None:
        """Finds out, once more, why some pairs are not in the set."""
        good = {*known.x.rows.tolist(), *_heldout_rows(known.x).tolist()}
        with careful():
            for i in set(range(len(self.files))) - good:
                for half in (0, 1):
                    self._decoded(i, half)

    def _decoded(self, i: int, half: int) -> np.ndarray | None:
        try:
            with self._held(i, half) as data:
                return decode(data, self.shape.height, self.shape.width, self.shape.channels)
        except Unreadable as error:
            self.reasons.setdefault(i, (self.files[i][half], str(error)))
            return None
