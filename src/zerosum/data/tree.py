"""The files under a folder or in a zip, among pipes, loops, locked folders and names in no encoding."""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from zerosum.core.errors import Refusal
from zerosum.data.decode import SUFFIXES, Unreadable, foreign, one_at_a_time

MAX_BYTES = 512_000_000
_LARGE_BYTES = 32_000_000
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")  # of files that have lost their ending
_OURS = ("dataset.json", "labels.csv")
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # to open a pipe would wait for its other end


class Tree:
    """The files under a folder, sorted: `entries` of (name with slashes, size, mark of change).

    Hidden files are left out. `refused` lists what cannot be entered or read, with the reason: locked folders, links to
    folders (which are not followed: they may lead in circles), pipes and broken links that are named like pictures.
    """

    def __init__(self, path: Path):
        self.path = path
        self.refused: list[tuple[str, str]] = []
        self.entries = sorted(self._walk())
        self._sizes = {name: size for name, size, _ in self.entries}
        self.refused.sort()

    def _walk(self) -> Iterator[tuple[str, int, int]]:
        waiting = [""]  # a list and no recursion, which would end at a thousand folders' depth
        while waiting:
            here = waiting.pop()
            try:
                with os.scandir(self.path / here) as found:
                    listed = [entry for entry in found if not _is_hidden(entry.name)]
            except OSError as error:
                self.refused.append((here, f"a folder that cannot be entered ({error.strerror})"))
                continue
            for entry in listed:
                name = f"{here}/{entry.name}" if here else entry.name
                if _is_folder(entry):
                    waiting.append(name)
                else:
                    yield from self._file(entry, name)

    def _file(self, entry: os.DirEntry[str], name: str) -> Iterator[tuple[str, int, int]]:
        try:
            status = entry.stat()
        except OSError as error:
            self._refuse_picture(name, f"cannot be read ({error.strerror})")
            return
        if stat.S_ISREG(status.st_mode):
            yield name, status.st_size, status.st_mtime_ns
        elif stat.S_ISDIR(status.st_mode):
            self.refused.append(
                (name, "a link to a folder; these are not followed. Copy the folder, or name it itself")
            )
        else:
            self._refuse_picture(name, "a pipe, socket or device, not a file")

    def _refuse_picture(self, name: str, reason: str) -> None:
        if _is_picture(name):
            self.refused.append((name, reason))

    def pictures(self) -> list[str]:
        """The names of the files that are named like pictures, sorted; and of those without an ending that begin like a
        JPEG, a PNG or a GIF."""
        return [name for name, _, _ in self.entries if _is_picture(name) or self._is_bare_picture(name)]

    def _is_bare_picture(self, name: str) -> bool:
        return not PurePosixPath(name).suffix and self._start(name).startswith(_BEGINNINGS)

    def left_alone(self, pictures: Sequence[str]) -> str:
        """In a line, what lies beside the pictures and is neither taken nor refused; empty where nothing does."""
        names = {name for name, _, _ in self.entries if PurePosixPath(name).name not in _OURS} - {*pictures}
        endings = Counter(PurePosixPath(name).suffix.lower() for name in sorted(names) if not foreign(name))
        if not endings:
            return ""
        shown = [printable(ending) or "no ending" for ending, _ in endings.most_common()]
        listed = ", ".join(shown[:5]) + (", ..." if len(shown) > 5 else "")
        num = endings.total()
        files = "1 file of another kind" if num == 1 else f"{num:,} files of other kinds"
        return f"{files} left alone ({listed})"

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[bytes]:
        """A file's bytes while they are worked on: of large files one at a time. Raises Unreadable."""
        with one_at_a_time(self._sizes[name] > _LARGE_BYTES):
            yield self.read(name)

    def _start(self, name: str) -> bytes:
        """The file's first bytes; none if it cannot be read."""
        with contextlib.suppress(OSError), open(os.open(self.path / name, os.O_RDONLY | _AT_ONCE), "rb") as file:
            return file.read(16) or b""
        return b""

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises Unreadable, even if it has become a pipe or has vanished since it was listed."""
        try:
            with open(os.open(self.path / name, os.O_RDONLY | _AT_ONCE), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise Unreadable("not a file any more")
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise Lost(f"cannot be read ({error.strerror})") from error
        if len(data) > MAX_BYTES:
            raise Unreadable(_too_many())
        return data


def inner(names: Sequence[str]) -> list[PurePosixPath]:
    """The names as paths from the innermost folder that holds all of them. A zip may hold absolute names; they count
    as if they began in the zip."""
    paths = [PurePosixPath(name.lstrip("/")) for name in names]
    common = posixpath.commonpath([path.parent for path in paths]) if paths else ""
    return [path.relative_to(common) for path in paths]


class Lost(Unreadable):
    """A file that cannot be had now, and may be had another time: no permission, a broken line, deleted."""


class _Zip(Tree):
    """The files in a zip; an entry's mark of change is its checksum."""

    def __init__(self, path: Path):
        try:
            self.archive = zipfile.ZipFile(path)
        except OSError as error:
            raise Refusal(
                f"{path}: cannot be read ({error.strerror}). Wanted a folder or a zip of pictures."
            ) from error
        except Exception as error:  # on a broken table of contents the reader may raise anything
            raise Refusal(f"{path}: not a zip ({error}). Wanted a folder or a zip of pictures.") from error
        super().__init__(path)

    def _walk(self) -> Iterator[tuple[str, int, int]]:
        for info in self.archive.infolist():
            parts = PurePosixPath(info.filename).parts
            if not info.is_dir() and not any(_is_hidden(part) for part in parts):
                yield info.filename, info.file_size, info.CRC

    def _start(self, name: str) -> bytes:
        with contextlib.suppress(Exception), self.archive.open(name) as file:  # as in `read`, which will tell
            return file.read(16)
        return b""

    def read(self, name: str) -> bytes:
        if self.archive.getinfo(name).file_size > MAX_BYTES:
            raise Unreadable(_too_many())
        try:
            return self.archive.read(name)
        except Exception as error:  # encrypted, an unknown method, a bad checksum, a broken stream: each its own type
            raise Unreadable(f"cannot be unpacked ({error})") from error


def open_tree(path: Path) -> Tree:
    """The files of a folder or a zip. Raises Refusal for what is neither."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise Refusal(f"{path}: no such folder or zip. Wanted one that holds pictures.") from None
    except (OSError, ValueError) as error:
        raise Refusal(f"{path}: cannot be read ({error}). Wanted a folder or a zip of pictures.") from error
    if stat.S_ISDIR(mode):
        return Tree(path)
    if not stat.S_ISREG(mode):
        raise Refusal(f"{path}: a pipe, socket or device. Wanted a folder or a zip of pictures.")
    return _Zip(path)


def printable(name: str) -> str:
    """The name as it can be shown, and kept as JSON and UTF-8: what is no character of UTF-8, and what would steer a
    terminal, stands as an escape, such as caf\\udce9.jpg."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _too_many() -> str:
    return f"larger than {MAX_BYTES // 1_000_000} MB"
