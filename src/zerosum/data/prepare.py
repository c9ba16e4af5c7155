"""New folders out of old ones: clean copies, training and test parts, pairs. The originals are only read."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from zerosum.core.errors import Refusal
from zerosum.core.pictures import to_pil
from zerosum.data.decode import Unreadable, careful, decode, opened, orientation, upright
from zerosum.data.inspect import groups
from zerosum.data.likeness import same
from zerosum.data.pictures import check_channels, content_hash, in_parallel, sides
from zerosum.data.shelf import Facts, Shelf, gather
from zerosum.data.tree import printable

FORMATS: dict[str, dict[str, Any]] = {
    "png": {"format": "PNG"},
    "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "webp": {"format": "WEBP", "lossless": True},
}
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*\\', "_"))  # in names of files, on one system or another
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")

Refused = list[tuple[str, str]]


@dataclass(frozen=True)
class Made:
    """What has been written: the folder, how many pictures to each part of it, what was left out and why, and what
    else its maker should know."""

    out: Path
    parts: dict[str, int]
    refused: Refused
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def new_folder(out: Path, *sources: Path) -> Iterator[Path]:
    """A temporary folder beside `out`, which takes its place when the block ends well, and vanishes when not.

    Raises Refusal if `out` is a file or a folder that holds something, or is a source or inside one.
    """
    out = out.resolve()
    if out.exists() and not out.is_dir():
        raise Refusal(f"{out} is a file. Wanted the name of a new folder.")
    for source in sources:
        if out.is_relative_to(source.resolve()):
            raise Refusal(f"{out} lies in {source}, whose files are not to be touched. Choose a folder elsewhere.")
    if out.is_dir() and any(out.iterdir()):
        raise Refusal(f"{out} is not empty. Wanted a new or an empty folder, so that nothing is overwritten.")
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            out.rmdir()
        os.rename(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


# -------------------------------------------------------------------------------------------------------------- export


def export(
    source: Path,
    out: Path,
    resolution: int | tuple[int, int],
    *,
    kind: str = "png",
    channels: int = 3,
    unique: bool = False,
    progress: bool = True,
) -> Made:
    """Writes each picture as training would see it: upright, cropped about the middle, reduced; subfolders stay.

    Labels go into `labels.csv`, and into `dataset.json` as the tools of StyleGAN read it: the code of a single
    attribute, one-hot vectors of several. `unique` leaves out copies, and what has become the same by its new size; of
    these the shortest name stays. Raises Refusal if `out` cannot be made or no picture can be read.
    """
    height, width = sides(resolution)
    _check_kind(kind, channels)
    shelf = Shelf(source)
    names = _unlike(shelf.names, kind)
    hashes, written, reasons = *np.zeros((2, len(shelf), 32), np.uint8), dict(shelf.labels.missing)
    with new_folder(out, source) as folder:

        def one(i: int) -> None:
            if i in reasons:
                return
            try:
                with shelf.held(i) as data:
                    hashes[i], picture = content_hash(data), to_pil(decode(data, height, width, channels))
            except Unreadable as error:
                reasons[i] = str(error)
                return
            file = io.BytesIO()
            picture.save(file, **FORMATS[kind])
            written[i] = content_hash(file.getvalue())
            _inside(folder, names[i]).write_bytes(file.getvalue())

        with careful():
            in_parallel(one, len(shelf), "exporting", progress)
        good = np.array([i for i in range(len(shelf)) if i not in reasons], np.int64)
        if not len(good):
            raise Refusal(f"{source}: none of its {len(shelf):,} pictures can be read ({_worst(shelf, reasons)}).")
        if unique:
            originals = _originals(written, good, shelf.names)
            for i, original in zip(good, originals, strict=True):
                if i != original:
                    (folder / names[i]).unlink()
                    is_copy = (hashes[i] == hashes[original]).all()
                    what = "a copy of" if is_copy else f"at {width} x {height} the same as"
                    reasons[int(i)] = f"{what} {printable(shelf.names[original])}"
            good = good[originals == good]
        _write_labels(folder, shelf, [names[i] for i in good], good)
        _write_listing(folder, shelf, [names[i] for i in good], good)
        _drop_empty(folder)
    return Made(out, {"pictures": len(good)}, _told(shelf, reasons), _notes(shelf.left_alone))


def _originals(hashes: np.ndarray, rows: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """For each of the rows, int64 [n], that of equal hash with the shortest name, the first in the alphabet of these:
    who copies a file makes its name longer."""
    order = np.array(sorted(rows.tolist(), key=lambda row: (len(names[row]), names[row])), np.int64)
    original = np.empty(len(hashes), np.int64)
    original[order] = order[same(hashes[order])]
    return original[rows]


def _check_kind(kind: str, channels: int) -> None:
    if kind not in FORMATS:
        raise Refusal(f"--format {kind}: wanted {', '.join(FORMATS)}.")
    check_channels(channels)
    if kind == "jpg" and channels in (2, 4):
        raise Refusal(f"--channels {channels} --format jpg: a JPEG cannot be see-through. Choose png or webp.")


def _write_listing(folder: Path, shelf: Shelf, names: Sequence[str], rows: np.ndarray) -> None:
    codes, attributes = shelf.labels.codes[rows], shelf.labels.attributes
    labels: list | None = None
    if len(attributes) == 1:
        labels = [[name, int(code)] for name, code in zip(names, codes[:, 0], strict=True)]
    elif attributes:
        vectors = np.concatenate([np.eye(len(a.classes))[codes[:, i]] for i, a in enumerate(attributes)], axis=1)
        labels = [[name, vector] for name, vector in zip(names, vectors.tolist(), strict=True)]
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")


# --------------------------------------------------------------------------------------------------------------- split


def split(source: Path, out: Path, share: float, *, seed: int = 0, link: bool = False, progress: bool = True) -> Made:
    """Copies the pictures, as they are, into `out`/train and `out`/test, with their subfolders and `labels.csv`.

    Each class gives its share. Copies and near duplicates stay on one side. Which picture goes where is decided by the
    contents of all and the seed, whatever the files are called. `link` makes hard links where the disk allows. A name
    that this disk does not take, or that leads out of a zip, is changed, and the change is noted.
    Raises Refusal for a share outside 0 to 1, and where a side would have no picture.
    """
    if not 0 < share < 1:
        raise Refusal(f"--test {share}: wanted a share between 0 and 1, such as 0.1.")
    shelf = Shelf(source)
    with new_folder(out, source) as folder:
        facts, reasons = gather(shelf, progress), dict[int, str]()
        is_test = drawn(facts, share, seed)
        if is_test.all() or not is_test.any():
            raise Refusal(
                f"{source}: {len(facts):,} pictures, of which {len(set(groups(facts))):,} are not alike, cannot be "
                f"split with {share:g} for testing. Wanted a picture on each side: choose another share."
            )
        own = [shelf.names[row] for row in facts.rows]
        names = _unlike(own, keeps=lambda name: _takes(folder, name))
        places = [folder / ("test" if test else "train") for test in is_test]

        def one(i: int) -> None:
            row = int(facts.rows[i])
            target = _inside(places[i], names[i])
            if link and _linked(shelf, row, target):
                return
            try:
                with shelf.held(row) as data:
                    target.write_bytes(data)
            except Unreadable as error:  # it was good when it was looked at
                reasons[i] = str(error)

        in_parallel(one, len(facts), "copying", progress)
        good = ~np.isin(np.arange(len(facts)), list(reasons))
        parts = {"train": np.flatnonzero(good & ~is_test), "test": np.flatnonzero(good & is_test)}
        lost = [(facts.names[i], reason) for i, reason in sorted(reasons.items())]
        for side, at in parts.items():
            if not len(at):
                raise Refusal(f"{source}: nothing is left for {side}/ ({lost[0][0]}: {lost[0][1]}). Try again.")
            _write_labels(folder / side, shelf, [names[i] for i in at], facts.rows[at])
        _drop_empty(folder)
    renamed = [f"{printable(old)} is now {new}" for old, new in zip(own, names, strict=True) if old != new]
    told = f"{len(renamed):,} renamed: {'; '.join(renamed[:3])}{'; ...' if len(renamed) > 3 else ''}"
    return Made(
        out,
        {side: len(at) for side, at in parts.items()},
        sorted([*facts.refused, *lost]),
        _notes(told if renamed else "", shelf.left_alone),
    )


def drawn(facts: Facts, share: float, seed: int) -> np.ndarray:
    """Which pictures are for testing, bool [n].

    Groups of like pictures are brought into an order, by class and then by a hash of content and seed. Walking along
    it, a group is taken whenever the share due so far exceeds what has been taken by half of the group or more.
    """
    together, key = groups(facts), str(seed).encode()
    rows: dict[int, list[int]] = {}
    for i, group in enumerate(together.tolist()):
        rows.setdefault(group, []).append(i)
    content = [facts.hashes[i].tobytes() for i in range(len(facts))]

    def place(group: list[int]) -> tuple:
        first = min(group, key=content.__getitem__)
        return (*facts.codes[first], hashlib.sha256(key + content[first]).digest())

    taken, passed, is_test = 0, 0, np.zeros(len(facts), bool)
    for group in sorted(rows.values(), key=place):
        passed += len(group)
        if share * passed - taken >= len(group) / 2:
            is_test[group] = True
            taken += len(group)
    return is_test


def _linked(shelf: Shelf, row: int, target: Path) -> bool:
    if not shelf.path.is_dir():  # the names in a zip may be those of files of this machine
        return False
    try:
        os.link(shelf.path / shelf.names[row], target)
    except OSError:  # another disk, a system without links
        return False
    return True


# --------------------------------------------------------------------------------------------------------------- pairs


def pair(a: Path, b: Path, out: Path, *, by: str = "stem", progress: bool = True) -> Made:
    """Writes what belongs together as `out`/a/NAME.png and `out`/b/NAME.png: upright, whole, in their own modes.

    `by`: "stem", equal names but for the ending; "order", the first with the first in the order of names, numbers by
    value; or a CSV with in each row the file in `a` and the file in `b`, with a heading or without. NAME is that in
    `a`. Raises Refusal if none pair, if two that go by order hold different numbers, or `out` cannot be made.
    """
    shelves = Shelf(a), Shelf(b)
    unknown: Refused = []
    if by in ("order", "stem"):
        partners = (_by_order if by == "order" else _by_stem)(*shelves)
    else:
        partners, unknown = _by_table(by, *shelves)
    if not partners and unknown:
        raise Refusal(f"--by {by}: no row names two pictures ({_first(unknown)}). Wanted names as they stand in "
                      f"{a}, then as in {b}, subfolders included.")  # fmt: skip
    if not partners:
        first, other = (printable(shelf.names[0]) for shelf in shelves)
        raise Refusal(
            f"None of the {len(shelves[0]):,} pictures in {a} (such as {first}) has a partner among the "
            f"{len(shelves[1]):,} in {b} (such as {other}). Wanted equal names but for the ending; else give "
            "--by order, or --by FILE.csv with two columns of names."
        )

    def halves(i: int) -> tuple[Image.Image, Image.Image]:
        return _whole(shelves[0], partners[i][0], a), _whole(shelves[1], partners[i][1], b)

    names = _unlike([shelves[0].names[row].replace("/", "-") for row, _ in partners], "png")
    made = _write_pairs(out, (a, b), names, halves, progress)
    alone = [
        (_called(shelf, row, shelf.path), "has no partner")
        for side, shelf in enumerate(shelves)
        for row in sorted({*range(len(shelf))} - {both[side] for both in partners})
    ]
    passed = [(f"{s.path.name}/{printable(name)}", reason) for s in shelves for name, reason in s.refused]
    return Made(
        made.out, made.parts, [*made.refused, *unknown, *alone, *passed], _notes(*(s.left_alone for s in shelves))
    )


def halve(source: Path, out: Path, *, progress: bool = True) -> Made:
    """Cuts each picture in the middle: its left half is `out`/a/NAME.png, its right half `out`/b/NAME.png. Odd
    widths are left out. Raises Refusal if none can be read, or `out` cannot be made."""
    shelf = Shelf(source)
    wide = np.zeros(len(shelf), bool)

    def halves(i: int) -> tuple[Image.Image, Image.Image]:
        picture = _whole(shelf, i)
        width, height = picture.size
        if width % 2:
            raise _Broken(_called(shelf, i), f"{width:,} pixels wide; wanted two halves of equal width")
        wide[i] = 1.8 * height <= width <= 2.2 * height
        return picture.crop((0, 0, width // 2, height)), picture.crop((width // 2, 0, width, height))

    made = _write_pairs(
        out, (source,), _unlike([name.replace("/", "-") for name in shelf.names], "png"), halves, progress
    )
    num, single = made.parts["pairs"], made.parts["pairs"] - int(wide.sum())
    note = (
        f"{single:,} of {num:,} pictures are not about twice as wide as high. Do they hold two pictures side by side? "
        "Look at some halves; single photographs have been cut through."
    )
    passed = [(printable(name), reason) for name, reason in shelf.refused]
    return Made(
        made.out, made.parts, [*made.refused, *passed], _notes(note if 2 * single > num else "", shelf.left_alone)
    )


def whole(data: bytes) -> Image.Image:
    """A picture file's picture, upright and of its own size and mode as far as PNG has it. Raises Unreadable."""
    decode(data, 8, 8, 3)  # it says clearly what is wrong, if something is
    with opened(data) as file:
        file.load()
        picture = upright(file, orientation(file)).copy()
    if picture.mode.startswith("F"):
        raise Unreadable("its levels are floats, which PNG does not hold; save it with 8 or 16 bits")
    if picture.mode in _PNG_MODES:
        return picture
    plain = picture.convert("I" if picture.mode.startswith("I") else "RGB")
    plain.info.pop("icc_profile", None)  # of other colours than RGB
    return plain


class _Broken(Unreadable):
    """A file that gives no half of a pair, by name."""

    def __init__(self, name: str, reason: str):
        super().__init__(reason)
        self.name = name


def _whole(shelf: Shelf, row: int, folder: Path | None = None) -> Image.Image:
    """Raises _Broken, which names the file, with the name of `folder` before it where there are two."""
    try:
        with shelf.held(row) as data:
            return whole(data)
    except Unreadable as error:
        raise _Broken(_called(shelf, row, folder), str(error)) from error


def _called(shelf: Shelf, row: int, folder: Path | None = None) -> str:
    name = printable(shelf.names[row])
    return f"{folder.name}/{name}" if folder else name


def _write_pairs(
    out: Path,
    sources: Sequence[Path],
    names: Sequence[str],
    halves: Callable[[int], tuple[Image.Image, Image.Image]],
    progress: bool,
) -> Made:
    broken: dict[int, tuple[str, str]] = {}
    with new_folder(out, *sources) as folder:

        def one(i: int) -> None:
            try:
                both = halves(i)
            except _Broken as error:
                broken[i] = error.name, str(error)
                return
            for side, picture in zip("ab", both, strict=True):
                picture.save(_inside(folder / side, names[i]), format="PNG")

        with careful():
            in_parallel(one, len(names), "pairing", progress)
        lost = [broken[i] for i in sorted(broken)]
        if len(lost) == len(names):
            raise Refusal(f"{out}: not one pair can be read ({_first(lost)}).")
    return Made(out, {"pairs": len(names) - len(lost)}, lost)


def _by_stem(a: Shelf, b: Shelf) -> list[tuple[int, int]]:
    stems = [{_stem(name): row for row, name in reversed([*enumerate(shelf.names)])} for shelf in (a, b)]
    return [(row, stems[1][stem]) for stem, row in sorted(stems[0].items(), key=lambda s: s[1]) if stem in stems[1]]


def _by_order(a: Shelf, b: Shelf) -> list[tuple[int, int]]:
    if len(a) != len(b):
        raise Refusal(
            f"{a.path} holds {len(a):,} pictures, {b.path} {len(b):,}: --by order needs equal numbers, for from the "
            "first that is missing on, none would fit. Add or remove what is single, or give --by FILE.csv."
        )
    orders = [sorted(enumerate(shelf.names), key=lambda item: _natural(item[1])) for shelf in (a, b)]
    return [(one, other) for (one, _), (other, _) in zip(*orders, strict=True)]


def _by_table(file: str, a: Shelf, b: Shelf) -> tuple[list[tuple[int, int]], Refused]:
    """The pairs, and the names that are none. A first row that names no picture is the heading."""
    try:
        lines = list(csv.reader(io.StringIO(Path(file).read_text(encoding="utf-8-sig"))))
    except (OSError, ValueError, csv.Error) as error:
        raise Refusal(f"--by {file}: cannot be read ({error}). Wanted stem, order, or a CSV of two columns.") from error
    known = [{name: row for row, name in enumerate(shelf.names)} for shelf in (a, b)]
    rows = [(number, [cell.strip() for cell in line[:2]]) for number, line in enumerate(lines, 1) if any(line)]
    if rows and not any(cell in names for cell, names in zip(rows[0][1], known, strict=False)):
        del rows[0]
    pairs, unknown = dict[tuple[int, int], None](), Refused()
    for number, cells in rows:
        place = f"row {number} of {Path(file).name}"
        if len(cells) < 2:
            unknown.append((place, "one column; wanted two, with a comma between"))
            continue
        missing = [(s, cell) for s, cell, names in zip((a, b), cells, known, strict=True) if cell not in names]
        unknown += [(f"{s.path.name}/{printable(cell)}", f"no such picture ({place})") for s, cell in missing]
        if not missing:
            pairs[known[0][cells[0]], known[1][cells[1]]] = None
    return list(pairs), unknown


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 2.png before 10.png."""
    words = "".join(c if c.isascii() and c.isdigit() else f"\0{c}\0" for c in name).split("\0")
    return [(0, int(word), "") if word.isdigit() and word.isascii() else (1, 0, word) for word in words if word]


# --------------------------------------------------------------------------------------------------------------- files


def _safe(name: str) -> str:
    """A picture's name as a path that stays inside a folder and can be written on any system."""
    parts = [
        part for part in PurePosixPath(printable(name).translate(_FORBIDDEN)).parts if part not in ("/", "..", ".")
    ]
    return "/".join(part.rstrip(". ") or "_" for part in parts)


def _takes(folder: Path, name: str) -> bool:
    """Whether the name can be shown, stays inside, and is taken by the disk under `folder`, which is empty."""
    parts = name.split("/")
    if printable(name) != name or any(part == ".." or Path(part).name != part for part in parts):
        return False
    try:
        for part in parts:
            (folder / part).touch()
            found = os.listdir(folder) == [part]  # some disks change names without a word
            (folder / part).unlink()
            if not found:
                return False
    except OSError:
        return False
    return True


def _unlike(names: Sequence[str], kind: str | None = None, keeps: Callable[[str], bool] = lambda _: False) -> list[str]:
    """The names made safe where `keeps` does not want them as they are, with the ending `kind` or their own; where two
    would be the same, even in small letters, the later gets a number."""
    taken: set[str] = set()
    made = []
    for name in names:
        safe = _safe(name)
        safe = name if safe != name and keeps(name) else safe
        ending = f".{kind}" if kind else PurePosixPath(safe).suffix
        candidates = (f"{_stem(safe)}{f'-{i}' if i > 1 else ''}{ending}" for i in range(1, len(names) + 2))
        made.append(next(c for c in candidates if c.lower() not in taken))
        taken.add(made[-1].lower())
    return made


def _inside(folder: Path, name: str) -> Path:
    """The place of a file, its folder made."""
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _write_labels(folder: Path, shelf: Shelf, names: Sequence[str], rows: np.ndarray) -> None:
    attributes = shelf.labels.attributes
    if not attributes:
        return
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", *(attribute.name for attribute in attributes)])
        for name, codes in zip(names, shelf.labels.codes[rows], strict=True):
            table.writerow([name, *(a.classes[code] for a, code in zip(attributes, codes, strict=True))])


def _drop_empty(folder: Path) -> None:
    for here, _, _ in os.walk(folder, topdown=False):
        if not any(Path(here).iterdir()):
            Path(here).rmdir()


def _told(shelf: Shelf, reasons: dict[int, str]) -> Refused:
    files = ((shelf.names[i], reason) for i, reason in reasons.items())
    return sorted((printable(name), reason) for name, reason in [*files, *shelf.refused])


def _notes(*notes: str) -> tuple[str, ...]:
    return tuple(note for note in notes if note)


def _worst(shelf: Shelf, reasons: dict[int, str]) -> str:
    return _first(_told(shelf, reasons))


def _first(refused: Refused, most: int = 3) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in refused[:most])
