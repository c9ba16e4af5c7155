"""All examples of some data, those held out too, in the order of their folder or file, with names and labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum.core.batch import DataShape, Images, Table, TableShape
from zerosum.core.errors import Refusal
from zerosum.data.catalog import is_table, open_data, place_of, refuse_other, refuse_unknown
from zerosum.data.pictures import Pictures
from zerosum.data.table import Rows, table
from zerosum.data.tree import open_tree, printable


def opened_as(shape: DataShape, data: str, progress: bool = True) -> Pictures | Rows:
    """The data as a generator of this shape has learnt to see it: pictures of its size, or its table's columns.

    Raises Refusal for data of another kind, and for pictures that come in another size.
    """
    refuse_unknown(data)
    refuse_other(data, Table if shape.height == 1 else Images, "this run encodes")
    if isinstance(shape, TableShape):
        if not is_table(data):
            raise Refusal(f"this run encodes the rows of a table; {data} is none. Name a .csv, .tsv or .parquet file.")
        return table(data, shape.columns)
    look: dict[str, Any] = {"channels": shape.channels} if place_of(data).exists() else {}
    source = open_data(data, (shape.height, shape.width), progress, **look)
    if source.shape.channels != shape.channels:
        raise Refusal(f"this run encodes {shape}; {source.name} holds {source.shape}: they differ in channels.")
    return source


class Whole:
    """A source and what is held out of it as one, numbered from 0 in the order of the folder or file.

    `names`: of the files, else "mnist[17]". `labels`: a word an example, by the label's name; "" where it is unknown.
    """

    def __init__(self, data: str, source: Pictures | Rows):
        heldout = source.heldout()
        self.source, self.parts = source, [source, *([heldout] if heldout is not None else [])]
        rows = np.concatenate([part.rows for part in self.parts])
        self._order = rows.argsort(kind="stable")  # where in the parts, one after another, each number lies
        self.rows = rows[self._order]
        self.names = _files(data, self.rows) or [f"{source.name}[{row}]" for row in self.rows]
        self.labels = self._words(source) if isinstance(source, Rows) else self._classes(source)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def is_table(self) -> bool:
        """Whether these are a table's rows."""
        return issubclass(self.source.holds, Table)

    @property
    def judged(self) -> np.ndarray:
        """The numbers of those held out, int64 [n]; all, where none are."""
        return np.flatnonzero(self._order >= len(self.source)) if len(self.parts) > 1 else np.arange(len(self))

    def x(self, numbers: np.ndarray) -> Tensor:
        """The examples of these numbers, float32 [n, C, H, W] or [n, columns]."""
        return torch.from_numpy(self._pick(numbers, lambda part, indices: part.batch(indices).x.numpy()))

    def _pick(self, numbers: np.ndarray, take: Callable[[Any, np.ndarray], np.ndarray]) -> np.ndarray:
        """What `take(part, indices)` finds in each part, in the order of the numbers."""
        at, first = self._order[numbers], len(self.source)
        own = np.flatnonzero(at < first)
        others = np.flatnonzero(at >= first)
        found = [take(self.source, at[own]), *(take(part, at[others] - first) for part in self.parts[1:])]
        return np.concatenate(found)[np.concatenate([own, others]).argsort()]

    def _classes(self, source: Pictures) -> dict[str, list[str]]:
        if not source.shape.attributes:
            return {}
        codes = self._pick(np.arange(len(self)), lambda part, indices: part.labels(indices))
        named = enumerate(source.shape.attributes)
        return {a.name: [a.classes[code] if code >= 0 else "" for code in codes[:, i]] for i, a in named}

    def _words(self, source: Rows) -> dict[str, list[str]]:
        return {name: [words[row] for row in self.rows] for name, words in source.words.items()}


def _files(data: str, rows: np.ndarray) -> list[str]:
    """The pictures' names in their folder or zip; none for a set by name, nor for a table."""
    place: Path = place_of(data)
    if not place.exists() or is_table(data):
        return []
    names = open_tree(place).pictures()
    return [printable(names[row]) for row in rows]
