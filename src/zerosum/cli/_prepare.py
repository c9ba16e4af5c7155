"""`zerosum data pairs`, `split` and `export`: new folders out of old ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from zerosum.cli._common import resolution, show
from zerosum.core.errors import Refusal

if TYPE_CHECKING:
    from zerosum.data.prepare import Made


@dataclass(frozen=True)
class Pairs:
    """Bring two folders' pictures together in pairs, or cut pictures that hold both halves."""

    folders: Annotated[
        tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="A B OUT", help_behavior_hint="(required)")
    ]
    """Two folders or zips, and the new folder; with --side-by-side the new folder alone."""
    by: Annotated[str, tyro.conf.arg(metavar="stem|order|FILE.csv")] = "stem"
    """What makes two a pair: equal names but for the ending, their order, or a CSV of two columns."""
    side_by_side: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """A folder or zip of pictures whose left half is A and whose right half is B."""
    json: bool = False
    """Print JSON; no bar."""


@dataclass(frozen=True)
class Split:
    """Copy pictures into train/ and test/; what looks alike stays on one side."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """A folder or zip of pictures."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """The new folder."""
    test: float = 0.1
    """The share for testing, of each class."""
    seed: int = 0
    """Another seed, another choice."""
    link: bool = False
    """Hard links instead of copies, where the disk allows. To change such a file changes the original too."""
    json: bool = False
    """Print JSON; no bar."""


@dataclass(frozen=True)
class Export:
    """Write pictures as training sees them: upright, cropped, of one size, with labels."""

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
    """A folder or zip of pictures."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """The new folder."""
    resolution: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N [N]")] = (64,)
    """Pixels a side; two numbers for height and width."""
    format: Literal["png", "jpg", "webp"] = "png"
    """png and webp lose nothing; jpg is small."""
    channels: int = 3
    """1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha."""
    unique: bool = False
    """Leave out copies, and what has become the same by its new size; the shortest name stays."""
    json: bool = False
    """Print JSON; no bar."""


def pairs(options: Pairs) -> None:
    """Writes OUT/a and OUT/b. Raises Refusal if nothing pairs, and for a wrong number of folders."""
    from zerosum.data.prepare import halve, pair

    if len(options.folders) != (1 if options.side_by_side else 3):
        wanted = "--side-by-side DIR OUT" if options.side_by_side else "A B OUT"
        raise Refusal(f"{len(options.folders)} folders. Wanted `zerosum data pairs {wanted}`.")
    if options.side_by_side:
        made = halve(options.side_by_side, options.folders[0], progress=not options.json)
    else:
        a, b, out = options.folders
        made = pair(a, b, out, by=options.by, progress=not options.json)
    _tell(made, options.json)


def split(options: Split) -> None:
    """Writes OUT/train and OUT/test."""
    from zerosum.core.plan import check_seed
    from zerosum.data.prepare import split as split_

    check_seed(options.seed)
    _tell(
        split_(
            options.source,
            options.out,
            options.test,
            seed=options.seed,
            link=options.link,
            progress=not options.json,
        ),
        options.json,
    )


def export(options: Export) -> None:
    """Writes OUT."""
    from zerosum.data.prepare import export as export_

    made = export_(
        options.source,
        options.out,
        resolution(options.resolution),
        kind=options.format,
        channels=options.channels,
        unique=options.unique,
        progress=not options.json,
    )
    _tell(made, options.json)


def _tell(made: Made, as_json: bool, most: int = 10) -> None:
    record = {
        "out": str(made.out),
        **made.parts,
        "left_out": [list(pair) for pair in made.refused],
        "notes": made.notes,
    }
    parts = (f"{num:,} {part.removesuffix('s') if num == 1 else part}" for part, num in made.parts.items())
    lines = [f"{made.out}: {', '.join(parts)}"]
    lines += [f"left out: {name}: {reason}" for name, reason in made.refused[:most]]
    if len(made.refused) > most:
        lines.append(f"... and {len(made.refused) - most:,} more (--json lists all)")
    for note in made.notes:
        print(note, file=sys.stderr)
    show(record, as_json, "\n".join(lines))
