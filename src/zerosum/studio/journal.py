"""A run's log as columns of numbers, read on from where it stood, and thinned to what a chart can show."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np

from zerosum.core.run import Run

GREATEST = 1e300  # what is greater is as good as infinite, and no chart shows it


class Journal:
    """One of a run's logs: `images`, and a column of numbers for each note, NaN where a line lacks it.

    Of a log of 100,000 lines only what came since the last look is read. One that a resume has cut or written anew is
    read from its start.
    """

    def __init__(self, run: Run, file: str):
        self._run, self._file = run, file
        self._forget(None)

    def _forget(self, identity: int | None) -> None:
        self._identity, self._at = identity, 0
        self.images = array("q")
        self.notes: dict[str, array[float]] = {}

    def read(self) -> Journal:
        """Takes in what was written since; returns itself."""
        try:
            found = (self._run.path / self._file).stat()
        except OSError:
            self._forget(None)
            return self
        if found.st_ino != self._identity or found.st_size < self._at:
            self._forget(found.st_ino)
        if found.st_size > self._at:
            lines, self._at = self._run.lines_from(self._file, self._at)
            for line in lines:
                self._add(line)
        return self

    @property
    def last(self) -> int:
        """The images of the last line; 0 before the first."""
        return self.images[-1] if self.images else 0

    def _add(self, line: dict[str, Any]) -> None:
        known = len(self.images)
        self.images.append(max(0, min(line["images"], 2**53)))  # as far as a browser counts
        for name, value in line.items():
            if name not in ("images", "rounds") and type(value) in (int, float) and abs(value) <= GREATEST:
                self.notes.setdefault(name, array("d", [math.nan]) * known).append(float(value))
        for column in self.notes.values():
            if len(column) == known:
                column.append(math.nan)

    def thinned(self, most: int) -> dict[str, Any]:
        """{"images": [...], "notes": {name: {"low", "mean", "high": [...]}}}, each list at most `most` long: of lines
        that share a place, the least, the mean and the greatest number, so that no peak is lost. None where none is."""
        total = len(self.images)
        if not total:
            return {"images": [], "notes": {}}
        starts = np.unique(np.linspace(0, total, min(most, total), endpoint=False).astype(np.int64))
        last = np.append(starts[1:], total) - 1
        images = np.frombuffer(self.images, np.int64)[last]
        notes = {name: _thinned(np.frombuffer(column, np.float64), starts) for name, column in self.notes.items()}
        return {"images": images.tolist(), "notes": notes}


def _thinned(values: np.ndarray, starts: np.ndarray) -> dict[str, list[float | None]]:
    """The least, mean and greatest of the finite numbers from each start to the next."""
    held = np.isfinite(values)
    count = np.add.reduceat(held.astype(np.int64), starts)
    mean = np.add.reduceat(np.where(held, values, 0.0), starts) / np.maximum(count, 1)
    low = np.minimum.reduceat(np.where(held, values, np.inf), starts)
    high = np.maximum.reduceat(np.where(held, values, -np.inf), starts)
    return {name: _plain(column, count) for name, column in (("low", low), ("mean", mean), ("high", high))}


def _plain(column: np.ndarray, count: np.ndarray) -> list[float | None]:
    return [float(f"{value:.6g}") if n else None for value, n in zip(column, count, strict=True)]
