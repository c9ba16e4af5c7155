"""The scores' names: their keys in records, and what people read. Free of torch, so that `--help` is quick."""

from __future__ import annotations

from typing import Literal, get_args

PICTURES = 2000  # on each side, where `zerosum evaluate` is told nothing else
SCORES = {"kid": "KID, ImageNet network", "kid_random": "KID, random network", "coverage": "Coverage"}
CALLED = {"kid": "the ImageNet judge", "kid_random": "the untrained judge"}  # within a sentence
More = Literal["fid", "prdc", "memorisation", "classes", "diversity"]
MORE: tuple[More, ...] = get_args(More)  # beyond the panel's, for who asks
