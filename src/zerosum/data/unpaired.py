"""Two sets of pictures of one shape without pairs, drawn apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from zerosum.core.batch import Batch, Images, Source, Unpaired
from zerosum.core.errors import Refusal
from zerosum.core.files import digest


def unpaired(x: Source, y: Source) -> UnpairedPictures:
    """The two sets as one source, for games that play on Unpaired: `x` is the first domain, `y` the second.

    Raises Refusal if one holds no pictures, if their sizes or channels differ, or if both are the same.
    """
    for source in (x, y):
        if not issubclass(source.holds, Images):
            raise Refusal(f"{source.name} holds {source.holds.called}; wanted two sets of pictures.")
    if _size(x) != _size(y):
        raise Refusal(
            f"{x.name} has pictures of {x.shape}, {y.name} of {y.shape}; wanted one size and as many channels. Open "
            "both with the same resolution and channels."
        )
    if x.fingerprint == y.fingerprint:
        raise Refusal(
            f"{x.name} and {y.name} hold the same pictures; wanted two sets. Of labelled ones, name two "
            "classes: DATA:LABEL=CLASS."
        )
    return UnpairedPictures(x, y)


def _size(source: Source) -> tuple[int, int, int]:
    return source.shape.channels, source.shape.height, source.shape.width


class UnpairedPictures:
    """A source of two sets `x` and `y`, drawn apart. It is as long as the larger; the smaller comes round again.

    The second set has an order of its own, so that pictures of the same number have nothing to do with each other.
    """

    holds: type[Batch] = Unpaired

    def __init__(self, x: Source, y: Source):
        self.x, self.y = x, y
        self.name = f"{x.name}+{y.name}"
        self.shape = replace(x.shape, attributes=())
        self.fingerprint = digest(["unpaired", x.fingerprint, y.fingerprint])
        self._order = np.random.default_rng(0).permutation(len(self))

    def __len__(self) -> int:
        return max(len(self.x), len(self.y))

    def __repr__(self) -> str:
        return f"<{len(self.x):,} and {len(self.y):,} pictures '{self.name}', {self.shape}>"

    def batch(self, indices: np.ndarray) -> Unpaired:
        """Pictures of both sets for `indices`, int64 [B]: x and y, float32 [B, C, H, W] in [-1, 1]."""
        x, y = self.x.batch(indices % len(self.x)), self.y.batch(self._order[indices] % len(self.y))
        return Unpaired(x.x, y.x)  # type: ignore[attr-defined]

    def heldout(self) -> UnpairedPictures | None:
        """What both sets keep back for judging; None where one of them keeps nothing."""
        x, y = self.x.heldout(), self.y.heldout()
        return None if x is None or y is None else UnpairedPictures(x, y)

    def pictures(self) -> Together:
        """Both sets' pictures as one, to judge by."""
        return Together(self.x, self.y)


class Together:
    """A source of the pictures of two sets in turn: as many of each as the smaller has, of the larger spread evenly.

    Without labels, since those of the two sets need not be the same.
    """

    holds: type[Batch] = Images

    def __init__(self, x: Source, y: Source):
        self.name, self.shape = f"{x.name}+{y.name}", replace(x.shape, attributes=())
        self.fingerprint = digest(["together", x.fingerprint, y.fingerprint])
        self._sets, self._each = (x, y), min(len(x), len(y))

    def __len__(self) -> int:
        return 2 * self._each

    def __repr__(self) -> str:
        return f"<{len(self):,} pictures '{self.name}', {self.shape}>"

    def batch(self, indices: np.ndarray) -> Images:
        """The pictures at `indices`, int64 [B]: x float32 [B, C, H, W] in [-1, 1]; those of even numbers are of x."""
        pictures = torch.empty(len(indices), *_size(self)).contiguous(memory_format=torch.channels_last)
        for domain, source in enumerate(self._sets):
            mine = np.asarray(indices) % 2 == domain
            numbers = indices[mine] // 2 * len(source) // self._each
            pictures[torch.from_numpy(mine)] = source.batch(numbers).x  # type: ignore[attr-defined]
        return Images(pictures)

    def heldout(self) -> Together | None:
        """The same of what both sets keep back; None where one of them keeps nothing."""
        x, y = (source.heldout() for source in self._sets)
        return None if x is None or y is None else Together(x, y)
