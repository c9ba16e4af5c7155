"""The files inside a package's file: wheels and zips, tar archives, Debian packages. Nothing is unpacked by a tool."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

_DEB = b"!<arch>\n"
_HEADER = 60  # bytes, before each member of an ar archive


def members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Each regular file of a zip, tar or deb: its name without a leading "./", and a stream to read it from.

    The streams come in the archive's own order, each good until the next is asked for, so that memory does not grow
    with the archive. To be called after the archive's hash is checked: what is damaged raises what its reader raises.
    """
    with archive.open("rb") as file:
        start = file.read(len(_DEB))
    if start.startswith(b"PK"):
        yield from _zipped(archive)
    elif start == _DEB:
        yield from _debian(archive)
    else:
        with tarfile.open(archive, "r|*") as tar:
            yield from _tarred(tar)


def _zipped(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as whole:
        for info in whole.infolist():
            if not info.is_dir():
                with whole.open(info) as stream:
                    yield info.filename, stream


def _tarred(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for info in tar:
        stream = tar.extractfile(info) if info.isreg() else None
        if stream is not None:
            yield info.name.removeprefix("./"), stream


def _debian(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The files that a Debian package would install: its member data.tar, with any of dpkg's compressions."""
    with archive.open("rb") as file:
        if _seek_data(file) == ".zst":  # tarfile knows it from Python 3.14 on only
            import pyarrow

            with (
                pyarrow.input_stream(file, compression="zstd") as stream,
                tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as tar,
            ):
                yield from _tarred(tar)
        else:
            with tarfile.open(fileobj=file, mode="r|*") as tar:
                yield from _tarred(tar)


def _seek_data(file: IO[bytes]) -> str:
    """Goes to the beginning of data.tar and returns its ending; deb(5): an ar archive whose third member it is."""
    file.seek(len(_DEB))
    while len(header := file.read(_HEADER)) == _HEADER:
        name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
        if name.startswith("data.tar"):
            return name.removeprefix("data.tar")
        file.seek(size + size % 2, io.SEEK_CUR)  # members begin at even bytes
    raise tarfile.ReadError("a Debian package without data.tar")
