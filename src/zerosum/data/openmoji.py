"""OpenMoji: emoji as line drawings, and the same in colour, each pair with its name."""

from __future__ import annotations

import functools
import importlib.metadata
import json
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.core.archives import members
from zerosum.core.batch import DataShape
from zerosum.core.files import digest
from zerosum.core.packages import ARTEFACTS, fetch
from zerosum.data.drawing import draw_all
from zerosum.data.pairs import PairedPictures, pair_workshop, prepared_pairs
from zerosum.data.pictures import content_hash, sides, split

RECIPE = 1  # raise it when the same package would give other pixels, or others held out


def openmoji(resolution: int | tuple[int, int] = 64, progress: bool = True) -> PairedPictures:
    """4,495 pairs of the package openmoji, RGB on white: x drawn in lines, y in colour; a tenth is held out, each with
    all its skin tones, whose lines are the same.

    `resolution` is a side, or height and width. `captions` tells their names. The first call fetches 4 MB and draws on
    all cores. Raises Refusal if the package cannot be fetched.
    """
    size = sides(resolution)
    drawer = importlib.metadata.version("resvg-py")
    fingerprint = digest(["openmoji", ARTEFACTS["openmoji"].wanted_sha256, RECIPE, drawer, *size])
    pairs = prepared_pairs(fingerprint, "openmoji")
    if pairs is None:
        _prepare(fetch("openmoji", progress=progress), fingerprint, size, progress)
        pairs = prepared_pairs(fingerprint, "openmoji")
    if pairs is None:
        raise RuntimeError(f"the pairs {fingerprint} vanished from the cache while they were made")
    return pairs


def captions(pairs: PairedPictures) -> list[str]:
    """The name of each pair of `openmoji()`, of its held-out part, or of a subset."""
    names = _names(fetch("openmoji"))
    return [names[row] for row in pairs.x.rows]


@functools.cache
def _names(file: Path) -> tuple[str, ...]:
    return tuple(entry["annotation"] for entry in _entries(file))


def _entries(file: Path) -> list[dict[str, str]]:
    """The package's own table, in order: annotation, hexcode, skintone_base_hexcode and more of each emoji."""
    return next(json.load(stream) for name, stream in members(file) if PurePosixPath(name).name == "openmoji.json")


def _prepare(file: Path, fingerprint: str, size: tuple[int, int], progress: bool) -> None:
    entries = _entries(file)
    svgs = {
        PurePosixPath(name).relative_to("package").as_posix(): stream.read().decode()
        for name, stream in members(file)
        if name.endswith(".svg") and name.startswith(("package/black/", "package/color/"))
    }
    base = [entry["skintone_base_hexcode"] or entry["hexcode"] for entry in entries]
    hashes = np.stack([content_hash(code.encode()) for code in base])
    with pair_workshop(len(entries), DataShape(*size, 3)) as making:
        for half, kind in ((making.x, "black"), (making.y, "color")):
            drawings = [svgs[f"{kind}/svg/{entry['hexcode']}.svg"] for entry in entries]
            draw_all(drawings, half.pixels, f"drawing openmoji, {'lines' if kind == 'black' else 'colours'}", progress)
        making.finish(fingerprint, *split(np.arange(len(entries)), hashes))
