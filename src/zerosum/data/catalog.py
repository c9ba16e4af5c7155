"""The data there is by name, and data from a path. Imports nothing heavy until it is opened."""

from __future__ import annotations

import importlib
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zerosum.core.errors import Refusal, nearest
from zerosum.core.packages import ARTEFACTS, Artefact, is_cached

if TYPE_CHECKING:
    from zerosum.core.batch import Batch, Kinds
    from zerosum.data.pictures import Pictures
    from zerosum.data.table import Rows

SIDE = 64  # pixels to which pictures are taken where nobody asks for another size
TABLES = (".csv", ".tsv", ".parquet")
_SELECTION = re.compile(r"(.+?):([^:=/\\]+=.*)")  # avatars:glasses=none,hat=none


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
    side: int = SIDE

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
        side=artefact.side,
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


def parted(data: str) -> tuple[str, dict[str, list[str]]]:
    """What stands before the selection, and the selection: `fruit:class=apple` is ("fruit", {"class": ["apple"]}).

    Several labels are parted by commas, and all must hold; several classes of one label are alternatives. No selection
    is {}; a path that exists under the whole name has none.
    """
    found = _SELECTION.fullmatch(data)
    if found is None or Path(data).exists():
        return data, {}
    wanted: dict[str, list[str]] = {}
    for part in re.split(r",(?=[^,=]+=)", found[2]):  # a class may hold a comma
        label, _, of = part.partition("=")
        wanted.setdefault(label.strip(), []).append(of.strip())
    return found[1], wanted


def place_of(data: str | Path) -> Path:
    """Where the data lies, if it is a folder or zip: its path without a selection."""
    return Path(parted(str(data))[0])


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
    Of either, those pictures alone whose labels are selected, as in `fruit:class=apple` (see `parted`).

    Raises Refusal for what is neither, with the nearest known name, and for labels or classes that there are not.
    """
    refuse_unknown(name_or_path)
    base, wanted = parted(name_or_path)
    if Path(base).exists():
        from zerosum.data.folder import folder

        found = folder(base, resolution, channels=channels, ground=ground, frames=frames, progress=progress)
    else:
        refuse_a_look(base, (channels, ground, frames) != (3, "white", "first"))
        found = DATA[base].open(resolution, progress)
    return _selected(found, wanted, name_or_path) if wanted else found


def _selected(pictures: Pictures, wanted: dict[str, list[str]], data: str) -> Pictures:
    """The pictures of the wanted classes, held-out ones too; a set's only label may be called "class".

    Raises Refusal for a label or class that there is not, and where fewer than two pictures are left.
    """
    codes = {}
    attributes = {attribute.name: attribute.classes for attribute in pictures.shape.attributes}
    if not attributes:
        raise Refusal(f"{data}: {pictures.name} has no labels to select by. Name it alone.")
    if len(attributes) == 1:
        wanted = {label if label != "class" else next(iter(attributes)): wanted[label] for label in wanted}
    for label, classes in wanted.items():
        if label not in attributes:
            raise Refusal(f"{data}: {pictures.name} has no label '{label}'{_nearest_of(label, attributes)}")
        known = attributes[label]
        for name in classes:
            if name not in known:
                raise Refusal(f"{data}: '{label}' has no class '{name}'{_nearest_of(name, known)}")
        codes[list(attributes).index(label)] = [known.index(name) for name in classes]
    chosen = pictures.select(codes, "-".join([pictures.name, *(of for classes in wanted.values() for of in classes)]))
    if len(chosen) < 2:
        raise Refusal(f"{data}: {len(chosen)} of {len(pictures):,} pictures are so. Wanted at least two.")
    return chosen


def _nearest_of(name: str, known: Iterable[str]) -> str:
    """What is meant, perhaps, and all that there are."""
    close = nearest(name, known)
    return close if close.startswith("; known") else f"{close} Known: {', '.join(known)}."


def open_source(
    name_or_path: str, resolution: int | tuple[int, int] = 64, progress: bool = True, **look: Any
) -> Pictures | Rows:
    """The table where the path is one's, else pictures as `open_data` takes them."""
    if is_table(name_or_path):
        from zerosum.data.table import table

        return table(name_or_path)
    return open_data(name_or_path, resolution, progress, **look)


def usual_side(*sets: str) -> int:
    """The side, in pixels, to which these are taken where nobody asks for another: the largest of the sets' own, which
    is SIDE for a folder or zip."""
    bases = [parted(data)[0] for data in sets]
    return max(SIDE if Path(base).exists() or base not in DATA else DATA[base].side for base in bases)


def is_table(name_or_path: str) -> bool:
    """Whether it is a file with a table's ending."""
    path = Path(name_or_path)
    return path.suffix.lower() in TABLES and path.is_file()


def is_known(name_or_path: str) -> bool:
    """Whether there is such a path or such a set, without or with a selection."""
    base, _ = parted(name_or_path)
    return base in DATA or Path(base).exists()


def refuse_unknown(name_or_path: str) -> None:
    """Raises Refusal, without opening it, for what is neither a folder, nor a file that may be a zip or a table, nor a
    name."""
    base, _ = parted(name_or_path)
    path = Path(base)
    if is_table(name_or_path):
        return
    if path.is_file():
        _refuse_a_file(path)
    elif not path.exists() and base not in DATA:
        if path.suffix.lower() in TABLES:
            raise Refusal(f"{base}: no such file. Wanted a table with a heading.")
        if len(path.parts) > 1 or base.endswith("/"):
            raise Refusal(f"{base}: no such folder or zip. Wanted one that holds pictures.")
        raise Refusal(
            f"'{base}' is neither a folder or zip of pictures nor data by name{nearest(base, DATA)} "
            "`zerosum data list` shows the names."
        )


def refuse_other(name_or_path: str, wanted: Kinds, who: str) -> None:
    """Raises Refusal, without opening it, for a named set that holds something else than `wanted`, which `who`, such
    as "dcgan plays on", takes, or for a table where no rows are wanted. What else a path holds is not known yet."""
    from zerosum.core.batch import Images, Pairs, Table, called

    if is_table(name_or_path) and not issubclass(Table, wanted):
        raise Refusal(f"{who} {called(wanted)}; {name_or_path} is a table. Name a folder or zip of pictures.")
    base, _ = parted(name_or_path)
    if base in DATA and not Path(base).exists():
        kinds: dict[str, type[Batch]] = {"pictures": Images, "pairs": Pairs}
        held = kinds[DATA[base].holds]
        if not issubclass(held, wanted):
            raise Refusal(f"{who} {called(wanted)}; {base} holds {held.called}. `zerosum data list` shows others.")


def refuse_number(sets: Sequence[str], wanted: Kinds, who: str) -> None:
    """Raises Refusal for two sets where `wanted`, which `who`, such as "dcgan plays on", takes, is of one, and for one
    where it is of two; where the number fits, `refuse_other` for each."""
    from zerosum.core.batch import Images, Unpaired, called

    if len(sets) == 2 and not issubclass(Unpaired, wanted):
        raise Refusal(f"{who} {called(wanted)}; two sets are named, {sets[0]} and {sets[1]}. Name one of them.")
    if len(sets) == 1 and wanted is Unpaired:
        raise Refusal(
            f"{who} {called(wanted)}; one is named, {sets[0]}. Name the second after it: a folder, a zip, or a set by "
            "name. One set can give both, as 'avatars:glasses=none' 'avatars:glasses=sunglasses' do."
        )
    for name in sets:
        refuse_other(name, Images if len(sets) == 2 else wanted, who)


def refuse_a_look(name_or_path: str, is_given: bool) -> None:
    """Raises Refusal for a named set or a table where channels, ground or frames are given, be it what is usual."""
    if is_given and is_table(name_or_path):
        raise Refusal(f"{name_or_path} is a table: --channels, --ground and --frames are for pictures.")
    base, _ = parted(name_or_path)
    if is_given and base in DATA and not Path(base).exists():
        raise Refusal(f"{base} comes as it is: --channels, --ground and --frames are for folders and zips.")


def lies_in(place: Path, name_or_path: str | Path) -> bool:
    """Whether the data is a folder and the place in it: a drawing there would become a picture to learn from."""
    here, there = place_of(name_or_path).resolve(), place.resolve()
    return here.is_dir() and (here == there or here in there.parents)


def _refuse_a_file(path: Path) -> None:
    """A picture or a text: its name tells, and the broken zip is left to who reads it."""
    from zerosum.data.decode import SUFFIXES

    if path.suffix.lower() in SUFFIXES:
        raise Refusal(f"{path} is a picture, one of many that are wanted. Name its folder: {path.parent}.")
    if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        raise Refusal(f"{path} is a file, but no zip. Wanted a folder or a zip of pictures.")
