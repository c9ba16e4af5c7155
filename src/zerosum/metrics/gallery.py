"""Pictures before the judges' eyes: each pair of eyes looks once, and what it saw of real pictures is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.files import cache_dir, digest, save_tensors
from zerosum.core.pictures import from_uint8, to_uint8

BATCH = 256
Watch = Callable[[Iterable[Tensor], str, int], Iterable[Tensor]]
"""Passes batches on while they are looked at; told what they are and how many pictures, for a bar on the screen."""
FORMAT = 2  # of the cached features; a change of what is in them or of how they come about raises it


class Eyes(Protocol):
    """Turns pictures into features. `key` names the weights and all that is done to a picture before them."""

    key: str

    def features(self, x: Tensor) -> Tensor:
        """float32 [n, d] on the CPU from x, float [n, C, H, W] in [-1, 1]."""
        ...


class Gallery:
    """Pictures in a fixed order, and what each pair of eyes has seen of them.

    `batches` begins a walk through the pictures, float [b, C, H, W] in [-1, 1]. `key`, anything that JSON can hold,
    says which pictures they are: with it, features are cached on the disk, by the key, the weights and the
    preprocessing; without, they are kept as long as the gallery.
    """

    def __init__(self, batches: Callable[[], Iterable[Tensor]], key: list | None = None):
        self.batches, self.key = batches, key
        self._seen: dict[str, Tensor] = {}

    def seen(self, eyes: Eyes) -> Tensor:
        """float32 [n, d]: what these eyes see of the pictures."""
        self.show(eyes)
        return self._seen[eyes.key]

    def show(self, *eyes: Eyes) -> None:
        """One walk for all of these eyes that have not seen the pictures; none if all have."""
        new = [one for one in eyes if not self._recall(one)]
        if not new:
            return
        parts: dict[str, list[Tensor]] = {one.key: [] for one in new}
        for x in self.batches():
            for one in new:
                parts[one.key].append(one.features(x))
        for one in new:
            found = torch.cat(parts[one.key]) if parts[one.key] else torch.empty(0, 0)
            self._seen[one.key] = found
            if self.key is not None:
                save_tensors(cache_file([self.key, one.key]), {"seen": found})

    def mirrored(self) -> Gallery:
        """The same pictures, left and right exchanged."""
        key = None if self.key is None else [*self.key, "mirrored"]
        return Gallery(lambda: (x.flip(3) for x in self.batches()), key)

    def _recall(self, eyes: Eyes) -> bool:
        """Whether these eyes have seen the pictures, now or in an earlier session."""
        if eyes.key not in self._seen and self.key is not None:
            try:
                with safe_open(cache_file([self.key, eyes.key]), framework="pt") as file:
                    self._seen[eyes.key] = file.get_tensor("seen")
            except (OSError, SafetensorError):  # not there, or damaged
                return False
        return eyes.key in self._seen


def chosen(source: Source, n: int, seed: int) -> np.ndarray:
    """The numbers of n random pictures (all, if there are fewer) in random order, int64 [n]."""
    return np.random.default_rng(seed).choice(len(source), min(n, len(source)), replace=False)


def unwatched(batches: Iterable[Tensor], what: str, num: int) -> Iterable[Tensor]:
    """Shows nothing."""
    return batches


def drawn(source: Source, n: int, seed: int, watch: Watch = unwatched) -> Gallery:
    """The source's pictures that `chosen` names."""
    indices = chosen(source, n, seed)

    def batches() -> Iterator[Tensor]:
        for start in range(0, len(indices), BATCH):
            yield source.batch(indices[start : start + BATCH]).x  # type: ignore[attr-defined]

    return Gallery(lambda: watch(batches(), "real pictures", len(indices)), [source.fingerprint, len(indices), seed])


def quantised(pictures: np.ndarray | Iterable[Tensor], source: Source) -> Iterator[Tensor]:
    """Made pictures as batches float [b, C, H, W] in [-1, 1], of 256 levels as the real ones.

    They come as uint8 [n, H, W, C] or as batches float [b, C, H, W] in [-1, 1]. Raises Refusal for another shape than
    the source's.
    """
    shape = source.shape
    if isinstance(pictures, np.ndarray):
        batches: Iterable[np.ndarray] = (pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH))
    else:
        batches = (to_uint8(x) for x in pictures)
    for pixels in batches:
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (shape.height, shape.width, shape.channels):
            raise Refusal(
                f"pictures of {pixels.dtype} {list(pixels.shape)} came; {source.name} holds {shape} (width x height x "
                "channels). Wanted uint8 [n, height, width, channels] of that size: a resized picture is judged as "
                "a blurred one."
            )
        yield from_uint8(pixels)


def cache_file(key: list) -> Path:
    """Where what is known under this key is kept."""
    return cache_dir("features") / digest([FORMAT, key])
