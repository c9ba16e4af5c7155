"""The data there is by name, and data from a path. Imports nothing heavy until it is opened."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zerosum.core.errors import Refusal, nearest
from zerosum.core.packages import ARTEFACTS, Artefact, is_cached

if TYPE_CHECKING:
    from zerosum.core.batch import Batch, Kinds
    from zerosum.data.pictures import Pictures


@dataclass(frozen=True)
class Named:
    """A set of pictures with a name: what it is, under which licence, where it comes from, what must be fetched."""

    summary: str
    licence: str
    citation: str
    package: str
    size_mb: int
    open: Callable[[int | tuple[int, int], bool], Pictures]
    artefact: Artefact | None = None
    holds: Literal["pictures", "pairs"] = "pictures"

    @property
    def fetched(self) -> bool:
        """Whether nothing need be fetched any more."""
        return self.artefact is None or is_cached(self.artefact)


def _avatars(resolution: int | tuple[int, int], progress: bool) -> Pictures:
    from zerosum.data.avatars import avatars

    return avatars(resolution, progress=progress)


def _packaged(artefact: Artefact, reader: str) -> Named:
    """A set as the table of packages has it. Its reader is imported when it is opened."""

    def open_(resolution: int | tuple[int, int], progress: bool) -> Pictures:
        module, _, function = reader.partition(":")
        return getattr(importlib.import_module(module), function)(resolution, progress)

    return Named(
        summary=artefact.what,
        licence=artefact.licence,
        citation=artefact.citation,
        package=f"{artefact.package} {artefact.version}",
        size_mb=artefact.size_mb,
        open=open_,
        artefact=artefact,
        holds=artefact.holds,
    )


DATA: dict[str, Named] = {
    "avatars": Named(
        summary="drawn faces with labels (hair, glasses, beard, mood, ...), made on this machine",
        licence="MIT",
        citation="Ibon, python_avatars; designs: Avataaars by Pablo Stanley",
        package="python-avatars 1",
        size_mb=0,
        open=_avatars,
    ),
    **{name: _packaged(artefact, artefact.reader) for name, artefact in ARTEFACTS.items() if artefact.reader},
}


def open_data(
    name_or_path: str,
    resolution: int | tuple[int, int] = 64,
    progress: bool = True,
    *,
    channels: int = 3,
    ground: str = "white",
    frames: Literal["first", "all"] = "first",
) -> Pictures:
    """A folder or zip of pictures where the path exists, taken in as `folder` describes; else the named set, as it is.

    Raises Refusal for what is neither, with the nearest known name.
    """
    refuse_unknown(name_or_path)
    if Path(name_or_path).exists():
        from zerosum.data.folder import folder

        return folder(name_or_path, resolution, channels=channels, ground=ground, frames=frames, progress=progress)
    refuse_a_look(name_or_path, (channels, ground, frames) != (3, "white", "first"))
    return DATA[name_or_path].open(resolution, progress)


def refuse_unknown(name_or_path: str) -> None:
    """Raises Refusal, without opening it, for what is neither a folder, nor a file that may be a zip, nor a name."""
    path = Path(name_or_path)
    if path.is_file():
        _refuse_a_file(path)
    elif not path.exists() and name_or_path not in DATA:
        if len(path.parts) > 1 or name_or_path.endswith("/"):
            raise Refusal(f"{name_or_path}: no such folder or zip. Wanted one that holds pictures.")
        raise Refusal(
            f"'{name_or_path}' is neither a folder or zip of pictures nor data by name{nearest(name_or_path, DATA)} "
            "`zerosum data list` shows the names."
        )


def refuse_other(name_or_path: str, wanted: Kinds, who: str) -> None:
    """Raises Refusal, without opening it, for a named set that holds something else than `wanted`, which `who`, such
    as "dcgan plays on", takes. What a path holds is not known yet."""
    from zerosum.core.batch import Images, Pairs, called

    if name_or_path in DATA and not Path(name_or_path).exists():
        kinds: dict[str, type[Batch]] = {"pictures": Images, "pairs": Pairs}
        held = kinds[DATA[name_or_path].holds]
        if not issubclass(held, wanted):
            raise Refusal(
                f"{who} {called(wanted)}; {name_or_path} holds {held.called}. `zerosum data list` shows others."
            )


def refuse_a_look(name_or_path: str, is_given: bool) -> None:
    """Raises Refusal for a named set where channels, ground or frames are given, be it what is usual."""
    if is_given and name_or_path in DATA and not Path(name_or_path).exists():
        raise Refusal(f"{name_or_path} comes as it is: --channels, --ground and --frames are for folders and zips.")


def lies_in(place: Path, name_or_path: str | Path) -> bool:
    """Whether the data is a folder and the place in it: a drawing there would become a picture to learn from."""
    here, there = Path(name_or_path).resolve(), place.resolve()
    return here.is_dir() and (here == there or here in there.parents)


def _refuse_a_file(path: Path) -> None:
    """A picture or a text: its name tells, and the broken zip is left to who reads it."""
    from zerosum.data.decode import SUFFIXES

    if path.suffix.lower() in SUFFIXES:
        raise Refusal(f"{path} is a picture, one of many that are wanted. Name its folder: {path.parent}.")
    if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        raise Refusal(f"{path} is a file, but no zip. Wanted a folder or a zip of pictures.")
