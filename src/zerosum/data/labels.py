"""The labels of a folder's pictures: from labels.csv, from dataset.json, or from the names of the subfolders."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal
from zerosum.data.decode import SUFFIXES, Unreadable
from zerosum.data.tree import Tree, inner, printable


class Labels:
    """The labels of the pictures `names`: `attributes`, `codes` int64 [N, A], and why some pictures have none."""

    def __init__(self, path: Path, tree: Tree, names: Sequence[str]):
        self.missing: dict[int, str] = {}
        self.attributes: tuple[Attribute, ...] = ()
        self.codes = np.zeros((len(names), 0), np.int64)
        table = _shallowest(tree, "labels.csv")
        listing = _shallowest(tree, "dataset.json")
        try:
            if table:
                self._from_csv(f"{path}/{table}", tree.read(table), PurePosixPath(table).parent, names)
            elif listing:
                self._from_json(f"{path}/{listing}", tree.read(listing), PurePosixPath(listing).parent, names)
            else:
                self._from_folders(names)
        except Unreadable as error:
            raise Refusal(f"{path}/{table or listing}: {error}. Mend or remove it.") from error

    def _from_csv(self, where: str, data: bytes, base: PurePosixPath, names: Sequence[str]) -> None:
        try:
            rows = list(csv.reader(io.StringIO(_text(where, data))))
        except csv.Error as error:
            raise Refusal(f"{where}: cannot be understood ({error}). Wanted comma-separated values.") from error
        heading, rows = (rows[0] if rows else []), [row for row in rows[1:] if row]
        if len(heading) < 2 or PurePosixPath(heading[0]).suffix.lower() in SUFFIXES:
            raise Refusal(f"{where}: begins with '{','.join(heading)}'. Wanted a heading such as 'file,class'.")
        columns = [column.strip() for column in heading[1:]]
        values = {row[0].strip(): [value.strip() for value in row[1:]] for row in rows}
        self._assign(where, columns, values, base, names)

    def _from_json(self, where: str, data: bytes, base: PurePosixPath, names: Sequence[str]) -> None:
        try:
            pairs = json.loads(_text(where, data))["labels"]
            if pairs is None:  # how the tools of StyleGAN write "no labels"
                return
            values = {str(file): code for file, code in pairs}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refusal(f'{where}: cannot be understood ({error}). Wanted {{"labels": [[file, 0], ...]}}.') from error
        odd = next((code for code in values.values() if type(code) is not int or code < 0), None)
        if odd is not None:
            raise Refusal(f"{where}: the label {odd!r}. Wanted whole numbers from 0 on.")
        self._assign(where, ["class"], {file: [str(code)] for file, code in values.items()}, base, names)

    def _from_folders(self, names: Sequence[str]) -> None:
        values = [printable(path.parent.name) or "unsorted" for path in inner(names)]
        kinds = set(values) - {"unsorted"}
        if len(kinds) > 1 and 2 * len(kinds) <= len(names):  # a folder for each picture tells nothing
            self._encode(["class"], [[value] for value in values])

    def _assign(
        self, where: str, columns: list[str], values: dict[str, Any], base: PurePosixPath, names: Sequence[str]
    ) -> None:
        """Finds each picture's values by its path beside the table, else by its bare name."""
        bare = {PurePosixPath(file).name: value for file, value in values.items()}
        found: list[list[str] | None] = []
        for i, name in enumerate(names):
            inner = PurePosixPath(name)
            inner = inner.relative_to(base) if inner.is_relative_to(base) else inner
            value = values.get(inner.as_posix(), bare.get(inner.name))
            if value is None or len(value) != len(columns) or "" in value:
                self.missing[i] = f"{PurePosixPath(where).name} has no label for it"
                value = None
            found.append(value)
        if len(names) - len(self.missing) < 2:
            raise Refusal(
                f"{where}: names {len(values)} files, but hardly any of the pictures. Check its first column."
            )
        self._encode(columns, found, where)

    def _encode(self, columns: list[str], found: Sequence[list[str] | None], where: str = "") -> None:
        attributes, codes = [], np.full((len(found), len(columns)), -1, np.int64)
        for a, column in enumerate(columns):
            classes = sorted({value[a] for value in found if value is not None}, key=_in_order)
            if len(classes) > max(50, len(found) // 2):
                raise Refusal(f"{where}: '{column}' has {len(classes):,} different values. Wanted classes; remove it.")
            attributes.append(Attribute(column, tuple(classes)))
            code = {name: i for i, name in enumerate(classes)}
            for i, value in enumerate(found):
                if value is not None:
                    codes[i, a] = code[value[a]]
        self.attributes, self.codes = tuple(attributes), codes


def _shallowest(tree: Tree, name: str) -> str | None:
    found = [entry[0] for entry in tree.entries if PurePosixPath(entry[0]).name == name]
    return min(found, key=lambda file: len(PurePosixPath(file).parts), default=None)


def _text(where: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{where}: not UTF-8 ({error.reason}). Save it as UTF-8.") from error


def _in_order(value: str) -> tuple[int, int, str]:
    """Whole numbers by size, before words by letter."""
    return (0, int(value), "") if value.isascii() and value.isdigit() and len(value) < 19 else (1, 0, value)
