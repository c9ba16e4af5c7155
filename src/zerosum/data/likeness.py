"""Which pictures show nearly the same: perceptual hashes, and groups of near hashes among many pictures at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

SIDE = 32  # of the pictures that are hashed
MAX_BITS = 6  # of the 64; re-saved and resized copies differ in 0 to 4
MAX_MEAN = 6.0  # mean difference of the 16 x 16 miniatures, in levels of 255
MAX_SPOT = 20.0  # the largest difference of a pixel of theirs: faces that differ in the mouth alone are two faces
WINDOW = 512  # how many neighbours a picture is compared with; sets in which so many begin alike are rare
_ONES = np.array([i.bit_count() for i in range(1 << 16)], np.uint8)
_CHUNK = 1 << 14


@dataclass(frozen=True)
class Looks:
    """What n pictures look like: `hashes`, uint64 [n], and `miniatures`, uint8 [n, 16, 16, 3]; 776 bytes a picture."""

    hashes: np.ndarray
    miniatures: np.ndarray

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, rows: np.ndarray) -> Looks:
        return Looks(self.hashes[rows], self.miniatures[rows])

    @classmethod
    def empty(cls, num: int) -> Looks:
        """Room for so many, to be filled in."""
        return cls(np.zeros(num, np.uint64), np.zeros((num, 16, 16, 3), np.uint8))


def look(pixels: np.ndarray) -> Looks:
    """The looks of RGB pictures, uint8 [n, 32, 32, 3].

    The hash is a perceptual hash (pHash; Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
    2010): the lowest 8 x 8 coefficients of the grey picture's cosine transform, each against their median. A hair of
    slack makes flat pictures alike in their hash, whatever the rounding; their miniatures tell them apart.
    """
    grey = pixels.astype(np.float64) @ (0.299, 0.587, 0.114)
    low = (_COSINES @ grey @ _COSINES.T).reshape(len(pixels), 64)
    bits = low > np.median(low[:, 1:], axis=1, keepdims=True) + 0.5
    pooled = pixels.reshape(len(pixels), 16, 2, 16, 2, 3).mean(axis=(2, 4))
    return Looks(np.packbits(bits, axis=1).view(np.uint64)[:, 0], pooled.round().astype(np.uint8))


_COSINES = np.cos(np.pi / SIDE * np.outer(np.arange(8), np.arange(SIDE) + 0.5))


def near(looks: Looks) -> np.ndarray:
    """For each picture the lowest row of its group of near duplicates, int64 [n]; its own row where it stands alone.

    Two pictures are near when their hashes differ in at most `MAX_BITS` bits and their miniatures by at most
    `MAX_MEAN` on the whole and `MAX_SPOT` anywhere; groups are what hangs together by such pairs. Two such hashes
    agree in one of MAX_BITS + 1 bands of bits, so each band in turn is brought to the front, the hashes are sorted, and
    neighbours of equal band are compared. Each picture is compared with `WINDOW` at most a band, so that even a hundred
    thousand flat ones are done within half a minute.
    """
    groups, tints = np.arange(len(looks)), looks.miniatures.mean(axis=(1, 2), dtype=np.float32)
    for start, stop in _bands():
        turned = _rotated(looks.hashes, start)
        order = np.argsort(turned, kind="stable")
        band = turned[order] >> np.uint64(64 - (stop - start))
        at = np.arange(len(looks))
        for step in range(1, WINDOW + 1):
            at = at[: np.searchsorted(at, len(looks) - step)]
            at = at[band[at] == band[at + step]]
            if not len(at):
                break
            a, b = order[at], order[at + step]
            apart = groups[a] != groups[b]
            a, b = a[apart], b[apart]
            close = _differing_bits(looks.hashes[a] ^ looks.hashes[b]) <= MAX_BITS
            a, b = a[close], b[close]
            close = np.abs(tints[a] - tints[b]).mean(axis=1) <= MAX_MEAN  # quick, and true of all that follow
            a, b = a[close], b[close]
            close = _alike(looks.miniatures, a, b)
            groups = joined(groups, a[close], b[close])
    return groups


def same(hashes: np.ndarray) -> np.ndarray:
    """For each row of content hashes, uint8 [n, 32], the first row of equal content, int64 [n]."""
    _, first, inverse = np.unique(hashes.view("V32")[:, 0], return_index=True, return_inverse=True)
    return first[inverse]


def joined(groups: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Groups as `near` gives them, with the pictures a and b, int64 [k] both, in one group each."""
    groups = groups.copy()
    while (groups[a] != groups[b]).any():
        ends, low = (groups[a], groups[b]), np.minimum(groups[a], groups[b])
        for end in ends:
            np.minimum.at(groups, end, low)
        while (groups != groups[groups]).any():
            groups = groups[groups]
    return groups


def members(groups: np.ndarray) -> list[np.ndarray]:
    """The rows of each group of two or more, int64, ascending; the largest group first."""
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


def _bands() -> list[tuple[int, int]]:
    cuts = [64 * i // (MAX_BITS + 1) for i in range(MAX_BITS + 2)]
    return list(itertools.pairwise(cuts))


def _rotated(hashes: np.ndarray, bits: int) -> np.ndarray:
    return hashes if bits == 0 else (hashes << np.uint64(bits)) | (hashes >> np.uint64(64 - bits))


def _differing_bits(differences: np.ndarray) -> np.ndarray:
    words = np.ascontiguousarray(differences).view(np.uint16).reshape(-1, 4)
    return _ONES[words].sum(axis=1, dtype=np.uint8)


def _alike(miniatures: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether the miniatures a and b differ by little, bool [k]; in chunks, as k may be large."""
    found = np.zeros(len(a), bool)
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        differences = np.abs(miniatures[a[part]].astype(np.int16) - miniatures[b[part]]).mean(axis=3)
        found[part] = (differences.mean(axis=(1, 2)) <= MAX_MEAN) & (differences.max(axis=(1, 2)) <= MAX_SPOT)
    return found
