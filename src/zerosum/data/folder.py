"""Any folder or zip of pictures, as training data: decoded once, on all cores, into the cache."""

from __future__ import annotations

import contextlib
import csv
import functools
import hashlib
import io
import json
import os
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zerosum.core.batch import Attribute, DataShape
from zerosum.core.errors import Refusal
from zerosum.core.files import cache_dir, digest, save_json
from zerosum.core.pictures import MODES
from zerosum.data.pictures import HELDOUT_FROM, Pictures, Workshop, in_parallel, is_heldout, prepared, sides, workshop

RECIPE = 1  # raise it when the same files would give other pixels
MAX_PIXELS = 64_000_000  # a larger picture is taken for a decompression bomb
MAX_BYTES = 512_000_000
FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")  # none runs a program
SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
    | {".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)


def folder(
    path: str | Path, resolution: int | tuple[int, int] = 64, *, channels: int = 3, progress: bool = True
) -> Pictures:
    """The pictures of a folder tree or a zip, cropped to `resolution` (a side, or height and width) about their middle.

    `channels`: 1 grey, 2 grey + alpha, 3 RGB (what is see-through lies on white), 4 RGBA. Labels come from
    `labels.csv` (a heading; the file's name, then a column a label), else from `dataset.json`
    ({"labels": [[file, code], ...]}), else from the names of the subfolders, as the attribute "class".
    Files that cannot be read are passed over; `.refused` lists them with the reason. Of 100 pictures or more, those
    whose content hash falls into a fixed tenth are held out. Raises Refusal for a path that does not exist or has fewer
    than two readable pictures, and for labels that cannot be understood.
    """
    path, (height, width) = Path(path), sides(resolution)
    if channels not in MODES:
        raise Refusal(f"channels={channels}: wanted 1 (grey), 2 (grey + alpha), 3 (RGB) or 4 (RGBA).")
    tree = _open(path)
    name = path.resolve().stem if path.is_file() else path.resolve().name
    names = [entry[0] for entry in tree.entries if PurePosixPath(entry[0]).suffix.lower() in SUFFIXES]
    if len(names) < 2:
        raise Refusal(f"{path}: {_holds(tree, names)}. Wanted at least two pictures ({_some(sorted(SUFFIXES))}).")
    labels = _Labels(path, tree, names)
    recipe = [RECIPE, height, width, channels]
    note = _Note(path, tree, recipe)
    known = note.pictures(name)
    if known is not None:
        return known
    intake = _Intake(names, labels, recipe)
    if note.is_worth_rehashing:
        intake.hash_only(tree.read, progress)
        known = prepared(intake.fingerprint, name, note.refused)
    if known is None:
        intake.decode(path, tree.read, DataShape(height, width, channels, labels.attributes), progress)
        known = prepared(intake.fingerprint, name, intake.refused)
        note.refused = intake.refused
    if known is None:
        raise RuntimeError(f"the set {intake.fingerprint} vanished from the cache while it was made")
    note.keep(intake.fingerprint)
    return known


# ------------------------------------------------------------------------------------------------------ one picture


class Unreadable(Exception):
    """A picture that cannot be used; the message is the reason, fit for a list."""


def decode(data: bytes, height: int, width: int, channels: int) -> np.ndarray:
    """uint8 [height, width, channels] from a picture file's bytes: upright, cut to shape about its middle, reduced with
    antialiasing. Raises Unreadable with the reason."""
    if not data:
        raise Unreadable("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Unreadable(_too_large(picture.width, picture.height))
            # JPEGs can be decoded at a half, a quarter, an eighth; twice the wanted size leaves the filter its work
            picture.draft(None, (2 * max(height, width), 2 * max(height, width)))
            upright = ImageOps.exif_transpose(picture)
            upright.load()
            return _fit(_in_mode(upright, channels), height, width)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(_what_it_is(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(_too_large()) from None
    except Exception as error:  # on a broken file a decoder may raise anything; one file must not cost the others
        raise Unreadable(f"damaged ({str(error).rstrip('.') or type(error).__name__})") from error


@functools.cache
def _formats() -> list[str]:
    """Those of `FORMATS` that this Pillow knows."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _in_mode(picture: Image.Image, channels: int) -> Image.Image:
    """The picture with 8 bits and so many channels; without an alpha channel, what is see-through lies on white."""
    if picture.mode.startswith(("I", "F")):  # 16 bits and more: Pillow would clip where it should scale
        levels = np.asarray(picture, np.float64)
        top = 255 if levels.max(initial=0) < 256 else 65535
        picture = Image.fromarray((levels.clip(0, top) * (255 / top)).round().astype(np.uint8))
    if channels in (2, 4):
        return picture.convert(MODES[channels])
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(MODES[channels])


def _fit(picture: Image.Image, height: int, width: int) -> np.ndarray:
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    small = picture.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    return np.asarray(small, np.uint8).reshape(height, width, -1)


def _too_large(width: int | None = None, height: int | None = None) -> str:
    size = f"{width} x {height} pixels are" if width else "it has"
    return f"{size} more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first"


def _what_it_is(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page, not a picture"
    return "not a picture in any known format"


# -------------------------------------------------------------------------------------------------- the whole intake


class _Intake:
    """Hashes and pixels of a list of files, and what is wrong with some of them."""

    def __init__(self, names: Sequence[str], labels: _Labels, recipe: list[int]):
        self.names, self.labels, self.recipe = names, labels, recipe
        self.hashes = np.zeros((len(names), 32), np.uint8)
        self.reasons: dict[int, str] = dict(labels.missing)
        self.fingerprint = ""

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The files that were passed over, each with its reason, by name."""
        return [(self.names[i], reason) for i, reason in sorted(self.reasons.items())]

    def hash_only(self, read: Callable[[str], bytes], progress: bool) -> None:
        """Fingerprints the files without decoding them, as if all were good that were good before."""

        def one(i: int) -> None:
            with contextlib.suppress(Unreadable):
                self.hashes[i] = content_hash(read(self.names[i]))

        in_parallel(one, len(self.names), "reading", progress)
        self._fingerprint()

    def decode(self, path: Path, read: Callable[[str], bytes], shape: DataShape, progress: bool) -> None:
        """Decodes all files into a new set of the cache. Raises Refusal if fewer than two can be read."""
        with workshop(len(self.names), shape) as making:

            def one(i: int) -> None:
                try:
                    data = read(self.names[i])
                    self.hashes[i] = content_hash(data)
                    if i not in self.reasons:
                        making.pixels[i] = decode(data, shape.height, shape.width, shape.channels)
                except Unreadable as error:
                    self.reasons[i] = str(error)

            with warnings.catch_warnings():  # set here, around the threads: filters belong to the process
                warnings.simplefilter("ignore")  # odd EXIF, odd palettes: the picture is good all the same
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                in_parallel(one, len(self.names), "reading pictures", progress)
            self._fingerprint()
            self._finish(path, making)

    def _finish(self, path: Path, making: Workshop) -> None:
        good = np.array([i for i in range(len(self.names)) if i not in self.reasons], np.int64)
        if len(good) < 2:
            raise Refusal(f"{path}: {len(good)} of {len(self.names)} pictures can be read ({self._worst()}). Wanted 2.")
        making.label(self.labels.codes)
        train, heldout = split(good, self.hashes)
        making.finish(self.fingerprint, train, heldout)

    def _worst(self) -> str:
        return "; ".join(f"{name}: {reason}" for name, reason in self.refused[:3])

    def _fingerprint(self) -> None:
        """Over every file's content and labels in the order of names, the bad ones too: they decide the numbering."""
        whole = hashlib.sha256(self.hashes.tobytes())
        whole.update(self.labels.codes.tobytes())
        attributes = [[a.name, list(a.classes)] for a in self.labels.attributes]
        self.fingerprint = digest([self.recipe, attributes, whole.hexdigest()])


def split(rows: np.ndarray, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows held out, of `rows`, int64 [n]; by content hashes, uint8 [N, 32]. A copy of a picture
    falls on the same side as the picture."""
    if len(rows) < HELDOUT_FROM:
        return rows, rows[:0]
    back = np.array([is_heldout(hashes[i, :4].tobytes().hex()) for i in rows])
    if (~back).sum() < 2:
        return rows, rows[:0]
    return rows[~back], rows[back]


def content_hash(data: bytes) -> np.ndarray:
    """SHA-256 as uint8 [32]."""
    return np.frombuffer(hashlib.sha256(data).digest(), np.uint8)


# ----------------------------------------------------------------------------------------------- trees of files, zips


class _Tree:
    """The files under a folder, sorted: `entries` of (name with slashes, size, mark of change)."""

    def __init__(self, path: Path):
        self.path = path
        self.entries = sorted(self._walk())

    def _walk(self) -> Iterator[tuple[str, int, int]]:
        for here, folders, files in os.walk(self.path):
            folders[:] = [name for name in folders if not _is_hidden(name)]
            for name in files:
                file = Path(here, name)
                if not _is_hidden(name) and file.is_file():
                    status = file.stat()
                    yield file.relative_to(self.path).as_posix(), status.st_size, status.st_mtime_ns

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises Unreadable."""
        try:
            file = self.path / name
            if file.stat().st_size > MAX_BYTES:
                raise Unreadable(f"larger than {MAX_BYTES // 1_000_000} MB")
            return file.read_bytes()
        except OSError as error:
            raise Unreadable(f"cannot be read ({error.strerror})") from error


class _Zip(_Tree):
    """The files in a zip; an entry's mark of change is its checksum."""

    def __init__(self, path: Path):
        try:
            self.archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise Refusal(f"{path}: not a zip ({error}). Wanted a folder or a zip of pictures.") from error
        super().__init__(path)

    def _walk(self) -> Iterator[tuple[str, int, int]]:
        for info in self.archive.infolist():
            parts = PurePosixPath(info.filename).parts
            if not info.is_dir() and not any(_is_hidden(part) for part in parts):
                yield info.filename, info.file_size, info.CRC

    def read(self, name: str) -> bytes:
        if self.archive.getinfo(name).file_size > MAX_BYTES:
            raise Unreadable(f"larger than {MAX_BYTES // 1_000_000} MB")
        try:
            return self.archive.read(name)
        except Exception as error:  # encrypted, an unknown method, a bad checksum, a broken stream: each its own type
            raise Unreadable(f"cannot be unpacked ({error})") from error


def _open(path: Path) -> _Tree:
    if path.is_dir():
        return _Tree(path)
    if not path.exists():
        raise Refusal(f"{path}: no such folder or zip. Wanted one that holds pictures.")
    return _Zip(path)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _holds(tree: _Tree, names: Sequence[str]) -> str:
    if not tree.entries:
        return "it is empty"
    kinds = Counter(PurePosixPath(entry[0]).suffix.lower() or "no ending" for entry in tree.entries)
    common = ", ".join(f"{num} {kind}" for kind, num in kinds.most_common(3))
    return f"it holds {len(names) or 'no'} picture{'' if len(names) == 1 else 's'} among its files ({common})"


def _some(suffixes: Sequence[str]) -> str:
    return ", ".join(suffix for suffix in suffixes if suffix in (".jpg", ".png", ".webp", ".gif")) + ", ..."


class _Note:
    """What the cache remembers of a folder, so that a second start neither reads nor decodes the pictures.

    Found by names and sizes; where the times of change are the same as well, the set is taken without reading a file,
    else the files are hashed again before anything is decoded.
    """

    def __init__(self, path: Path, tree: _Tree, recipe: list[int]):
        likely = hashlib.sha256(digest(recipe).encode())
        exact = hashlib.sha256(str(path.resolve()).encode())
        for name, size, mark in tree.entries:
            likely.update(f"{name}\0{size}\0".encode("utf-8", "surrogateescape"))
            exact.update(mark.to_bytes(8, "little", signed=True))
        self.exact = exact.hexdigest()
        self.file = cache_dir("folders") / f"{likely.hexdigest()[:32]}.json"
        try:
            self.record: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self.record = {}
        self.refused: list[tuple[str, str]] = [(name, reason) for name, reason in self.record.get("refused", [])]

    @property
    def is_worth_rehashing(self) -> bool:
        """Whether files of the same names and sizes have been prepared before."""
        return "fingerprint" in self.record

    def pictures(self, name: str) -> Pictures | None:
        """The prepared set, if not a single file has changed since."""
        if not self.is_worth_rehashing or self.record.get("exact") != self.exact:
            return None
        return prepared(self.record["fingerprint"], name, self.refused)

    def keep(self, fingerprint: str) -> None:
        """Remembers the set."""
        save_json(self.file, {"exact": self.exact, "fingerprint": fingerprint, "refused": self.refused})


# ------------------------------------------------------------------------------------------------------------- labels


class _Labels:
    """The labels of the pictures `names`: `attributes`, `codes` int64 [N, A], and why some pictures have none."""

    def __init__(self, path: Path, tree: _Tree, names: Sequence[str]):
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
        rows = list(csv.reader(io.StringIO(_text(where, data))))
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
        except (ValueError, KeyError, TypeError) as error:
            raise Refusal(f'{where}: cannot be understood ({error}). Wanted {{"labels": [[file, 0], ...]}}.') from error
        odd = next((code for code in values.values() if type(code) is not int or code < 0), None)
        if odd is not None:
            raise Refusal(f"{where}: the label {odd!r}. Wanted whole numbers from 0 on.")
        self._assign(where, ["class"], {file: [str(code)] for file, code in values.items()}, base, names)

    def _from_folders(self, names: Sequence[str]) -> None:
        parents = [PurePosixPath(name).parent for name in names]
        common = PurePosixPath(os.path.commonpath(parents)) if parents else PurePosixPath(".")
        values = ["unsorted" if parent == common else parent.name for parent in parents]
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


def _shallowest(tree: _Tree, name: str) -> str | None:
    found = [entry[0] for entry in tree.entries if PurePosixPath(entry[0]).name == name]
    return min(found, key=lambda file: len(PurePosixPath(file).parts), default=None)


def _text(where: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{where}: not UTF-8 ({error.reason}). Save it as UTF-8.") from error


def _in_order(value: str) -> tuple[int, int, str]:
    """Whole numbers by size, before words by letter."""
    return (0, int(value), "") if value.isascii() and value.isdigit() else (1, 0, value)
