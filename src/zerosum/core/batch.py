"""What a game plays on: the shape of the data, the kinds of batches, and the source that they are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from types import UnionType
from typing import ClassVar, Protocol, Self, get_args, runtime_checkable

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Attribute:
    """One label that each picture carries: its name and its classes, in the order of their codes 0, 1, 2, ..."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class DataShape:
    """Shape of one picture: height and width in pixels, 1 to 4 channels (grey, grey + alpha, RGB, RGBA), its labels.

    A table's row has height 1, the number of columns as its width, and one channel.
    """

    height: int
    width: int
    channels: int = 3
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def from_json(cls, record: dict) -> DataShape:
        """The inverse of `dataclasses.asdict`. Raises ValueError, TypeError or LookupError for what is none of its."""
        attributes = tuple(Attribute(a["name"], tuple(a["classes"])) for a in record.get("attributes", ()))
        size = record["height"], record["width"], record["channels"]
        columns = tuple(Column(c["name"], float(c["mean"]), float(c["scale"])) for c in record.get("columns", ()))
        names = [*(name for a in attributes for name in (a.name, *a.classes)), *(column.name for column in columns)]
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"names that are no words: {names!r:.100}")
        if not all(math.isfinite(c.mean) and math.isfinite(c.scale) for c in columns):
            raise ValueError("columns whose mean or scale is not finite")
        return TableShape(*size, attributes, columns) if "columns" in record else DataShape(*size, attributes)

    def __str__(self) -> str:
        return f"{self.width} x {self.height} x {self.channels}"


@dataclass(frozen=True)
class Column:
    """A column of a table: its name, and the mean and scale, in its own units, by which it is standardised."""

    name: str
    mean: float
    scale: float


@dataclass(frozen=True)
class TableShape(DataShape):
    """The shape of a table's row, with its columns: a generator's file knows them, and so encodes other tables."""

    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        if len(self.columns) != self.width:
            raise ValueError(f"{len(self.columns)} columns in a row of {self.width}")

    @classmethod
    def of(cls, columns: tuple[Column, ...]) -> TableShape:
        """The shape of a row of these columns."""
        return cls(1, len(columns), 1, (), columns)

    def in_units(self, rows: np.ndarray) -> np.ndarray:
        """Rows [n, columns] as they are trained on, float64 in the columns' own units."""
        means, scales = (np.array([getattr(column, key) for column in self.columns]) for key in ("mean", "scale"))
        return rows * scales + means

    def __str__(self) -> str:
        return f"{self.width} columns"


class Batch:
    """Some examples drawn together. A subclass is a frozen dataclass of tensors of equal length, or None."""

    called: ClassVar[str] = "examples"

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def to(self, device: torch.device | str, memory_format: torch.memory_format = torch.preserve_format) -> Self:
        """The same batch on `device`; 4-d tensors take `memory_format`."""

        def move(value: Tensor | None) -> Tensor | None:
            if value is None:
                return None
            value = value.to(device, non_blocking=True)
            return value.contiguous(memory_format=memory_format) if value.dim() == 4 else value

        return type(self)(**{f.name: move(getattr(self, f.name)) for f in fields(self)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Images(Batch):
    """Pictures x, float [B, C, H, W] in [-1, 1], and their labels y, int64 codes [B, number of attributes], or None."""

    called = "pictures"
    x: Tensor
    y: Tensor | None = None


@dataclass(frozen=True)
class Pairs(Batch):
    """Pictures x and what each should become, y: float [B, C, H, W] in [-1, 1] both."""

    called = "pairs of pictures"
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Unpaired(Batch):
    """Pictures of two domains drawn apart: x of the first, y of the second, float [B, C, H, W] in [-1, 1]."""

    called = "two sets of pictures"
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Captioned(Batch):
    """Pictures x, float [B, C, H, W] in [-1, 1], and the sentence embeddings t of their captions, float [B, D]."""

    called = "pictures with captions"
    x: Tensor
    t: Tensor


@dataclass(frozen=True)
class Tokens(Batch):
    """Sequences of symbols, int64 [B, T]."""

    called = "sequences"
    x: Tensor


@dataclass(frozen=True)
class Voxels(Batch):
    """Solids, float [B, 1, D, H, W] in [0, 1]."""

    called = "voxel grids"
    x: Tensor


@dataclass(frozen=True)
class Clips(Batch):
    """Moving pictures, float [B, T, C, H, W] in [-1, 1]."""

    called = "clips"
    x: Tensor


@dataclass(frozen=True)
class Table(Batch):
    """Rows of a table, float [B, columns], standardised."""

    called = "table rows"
    x: Tensor


Kinds = type[Batch] | UnionType  # what a game plays on: Images, or Images | Table


def called(kinds: Kinds) -> str:
    """The kinds in words: "pictures or table rows"."""
    return " or ".join(kind.called for kind in get_args(kinds) or (kinds,))


@runtime_checkable
class Source(Protocol):
    """A finite, indexable collection of examples. Memory must not grow with its length."""

    name: str  # short, fit for a folder's name
    shape: DataShape
    holds: type[Batch]  # what `batch` returns
    fingerprint: str  # hex; equal exactly when the contents are equal

    def __len__(self) -> int: ...

    def batch(self, indices: np.ndarray) -> Batch:
        """The examples at `indices`, int64 [B], each in [0, len(self)), on the CPU."""
        ...

    def heldout(self) -> Source | None:
        """Examples of the same kind that are not in this source, for judging; None where there are too few."""
        ...


@runtime_checkable
class Depicts(Protocol):
    """A source of something else than Images that can show its pictures one by one."""

    def pictures(self) -> Source:
        """They alone, a source of Images: what made pictures are judged by."""
        ...


def pictures(source: Source) -> Source | None:
    """What a run on this source is judged by: the source itself if it holds Images, or what it depicts, or None."""
    if issubclass(source.holds, Images):
        return source
    return source.pictures() if isinstance(source, Depicts) else None
