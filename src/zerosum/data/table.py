"""Tables: the numeric columns of a CSV or parquet file, standardised, as training data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from pyarrow import csv, parquet

from zerosum.core.batch import Batch, Column, DataShape, Table, TableShape
from zerosum.core.errors import Refusal
from zerosum.core.files import digest, written
from zerosum.data.pictures import content_hashes, split
from zerosum.data.tree import printable

_DELIMITERS = (",", ";", "\t")
_LARGEST = 1e100  # whose squares can still be added up
_HALF = 0.5  # of a column's values may be missing; one that lacks more tells too little


@dataclass(eq=False)
class Rows:
    """A source of a table's rows, held in memory: `values`, float32 [N, columns], standardised.

    `rows`, int64 [N], are their numbers in the file, from 0; `heldout_values` and `heldout_rows` those kept back for
    judging. `words` are the other columns, by name, a value for each row of the file: labels that nothing is trained
    on. `refused` lists what was passed over or filled in, each column with the reason.
    """

    name: str
    shape: DataShape
    fingerprint: str
    values: np.ndarray
    rows: np.ndarray
    heldout_values: np.ndarray
    heldout_rows: np.ndarray
    words: dict[str, list[str]] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    holds: type[Batch] = Table

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<{len(self):,} rows '{self.name}', {self.shape}>"

    def batch(self, indices: np.ndarray) -> Table:
        """The rows at `indices`, int64 [B]: x float32 [B, columns]."""
        return Table(torch.from_numpy(self.values[indices]))

    def heldout(self) -> Rows | None:
        """The rows kept back for judging, of which none is in this view; None where there are too few."""
        if len(self.heldout_rows) < 2:
            return None
        nothing, fingerprint = self.values[:0], digest([self.fingerprint, "held out"])
        return Rows(
            *(self.name, self.shape, fingerprint, self.heldout_values, self.heldout_rows, nothing, self.rows[:0]),
            words=self.words,
            refused=self.refused,
        )


def table(path: str | Path, columns: Sequence[Column] | None = None) -> Rows:
    """The numeric columns of a CSV (or TSV) file with a heading, or of a parquet file, each less its mean and divided
    by its standard deviation.

    Columns of words, constant ones and those that lack more than half their values are passed over; a single missing
    value is taken as the column's mean. `.refused` says which. Of 100 rows or more, those whose content hash falls into
    a fixed tenth are held out, and count in neither mean nor deviation. With `columns`, as a generator's header has
    them, these are looked for by name and standardised as that generator has learnt them.
    Raises Refusal for a file that cannot be read, has no heading, or lacks numeric columns, or those asked for.
    """
    path = Path(path)
    numbers, words, refused = _numbers(_read(path))
    if columns is None:
        raw, names = _as_found(path, numbers, refused)
    else:
        raw, refused = _as_learnt(path, numbers, columns), []
    if len(raw) < 2:
        raise Refusal(f"{path}: {len(raw)} rows. Wanted at least 2.")
    train, heldout = split(np.arange(len(raw)), content_hashes(raw))
    columns = columns or [_column(name, raw[train, i]) for i, name in enumerate(names)]
    shape, values = TableShape.of(tuple(columns)), standardised(raw, columns)
    return Rows(
        *(printable(path.resolve().stem), shape, _fingerprint(raw, shape)),
        *(values[train], train, values[heldout], heldout),
        words=words,
        refused=refused,
    )


def standardised(raw: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """float32 [n, columns] from values in the columns' own units, the inverse of `TableShape.in_units`; what is missing
    becomes the mean, 0."""
    means, scales = (np.array([getattr(column, key) for column in columns]) for key in ("mean", "scale"))
    return np.nan_to_num((raw - means) / scales, nan=0.0).astype(np.float32)


def save_rows(rows: np.ndarray, names: Sequence[str], path: Path) -> None:
    """Writes float [n, columns] as a .parquet, else as a CSV, whole or not at all."""
    save_table(pa.table(list(rows.T), names=list(names)), path)


def save_table(found: pa.Table, path: Path) -> None:
    """Writes a table as a .parquet, else as a CSV, whole or not at all."""
    with written(path) as temporary:
        if path.suffix.lower() == ".parquet":
            parquet.write_table(found, temporary)
        else:
            csv.write_csv(found, temporary)


def _as_learnt(path: Path, numbers: dict[str, np.ndarray], columns: Sequence[Column]) -> np.ndarray:
    """float64 [N, columns], in the columns' own units."""
    missing = [column.name for column in columns if column.name not in numbers]
    if missing:
        raise Refusal(
            f"{path}: lacks {len(missing)} of the {len(columns)} numeric columns that this run has learnt, such as "
            f"'{printable(missing[0])}'. Name a table that has them all."
        )
    return np.stack([numbers[column.name] for column in columns], axis=1)


def _as_found(
    path: Path, numbers: dict[str, np.ndarray], refused: list[tuple[str, str]]
) -> tuple[np.ndarray, list[str]]:
    """float64 [N, columns] and the names of the columns that serve; adds to `refused` why others do not."""
    num = len(next(iter(numbers.values()), ()))
    lacking = {name: int(np.isnan(values).sum()) for name, values in numbers.items()}
    useless = {name: reason for name, values in numbers.items() if (reason := _useless(values, lacking[name]))}
    names = [name for name in numbers if name not in useless]
    refused += useless.items()
    if not names or num < 2:
        raise Refusal(
            f"{path}: {num:,} rows, {len(names)} numeric columns that vary{_listed(refused)}. Wanted at least 2 rows "
            "and 1 column."
        )
    filled = "{:,} of {:,} values are missing: taken as the column's mean"
    refused += [(name, filled.format(lacking[name], num)) for name in names if lacking[name]]
    return np.stack([numbers[name] for name in names], axis=1), names


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix.lower() == ".parquet":
            read = parquet.read_table(path)
        else:
            read = csv.read_csv(path, parse_options=csv.ParseOptions(delimiter=_delimiter(path)))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise Refusal(f"{path}: cannot be read as a table ({reason:.200}). Wanted a CSV file in UTF-8 with a heading, "
                      "or a parquet file.") from error  # fmt: skip
    names = [name.strip() for name in read.column_names]
    if names and all(_is_number(name) for name in names):
        raise Refusal(f"{path}: begins with '{', '.join(names)[:80]}'. Wanted a first line that names the columns.")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise Refusal(f"{path}: two columns are called '{printable(twice[0])}'. Rename one.")
    return read.rename_columns(names)


def _delimiter(path: Path) -> str:
    """What the heading holds most of: a comma, a semicolon or a tab."""
    with path.open(encoding="utf-8-sig") as file:
        heading = file.readline()
    return max(_DELIMITERS, key=heading.count)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(read: pa.Table) -> tuple[dict[str, np.ndarray], dict[str, list[str]], list[tuple[str, str]]]:
    """By name: numeric columns, float64 [N], NaN where a value is missing or infinite; the others as words; and why
    these are passed over."""
    numbers, words, refused = {}, {}, []
    for name, column in zip(read.column_names, read.columns, strict=True):
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            values = column.cast(pa.float64(), safe=False) if not pa.types.is_boolean(kind) else column.cast(pa.int8())
            found = np.asarray(values.to_numpy(), np.float64)
            numbers[name] = np.where(np.isfinite(found), found, np.nan)
        elif pa.types.is_null(kind):
            refused.append((name, "it is empty"))
        else:
            words[name] = ["" if value is None else str(value) for value in column.to_pylist()]
            refused.append((name, f"it holds {_called(kind)}, no numbers"))
    return numbers, words, refused


def _called(kind: pa.DataType) -> str:
    """A type in words."""
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
    return "words" if is_text else "dates or times" if pa.types.is_temporal(kind) else f"values of type {kind}"


def _useless(values: np.ndarray, lacking: int) -> str | None:
    """Why a column of numbers is passed over, or None."""
    held = values[~np.isnan(values)]
    if lacking > _HALF * len(values):
        return f"{lacking:,} of {len(values):,} values are missing"
    if np.abs(held).max(initial=0) > _LARGEST:
        return f"it holds numbers beyond {_LARGEST:g}"
    return f"it is {held[0]:g} in every row" if len(held) and held.min() == held.max() else None


def _column(name: str, values: np.ndarray) -> Column:
    """Mean and standard deviation of what is there; a column that varies in what is held out alone keeps its scale."""
    return Column(name, float(np.nanmean(values)), float(np.nanstd(values)) or 1.0)


def _fingerprint(raw: np.ndarray, shape: TableShape) -> str:
    names = [column.name for column in shape.columns]
    return digest([names, hashlib.sha256(np.ascontiguousarray(raw).tobytes()).hexdigest()])


def _listed(refused: Sequence[tuple[str, str]], most: int = 3) -> str:
    shown = "; ".join(f"{printable(name)}: {reason}" for name, reason in refused[:most])
    return f" ({shown})" if shown else ""
