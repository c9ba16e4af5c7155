"""What autoencoders are tried on, and PCA, which they are compared with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from zerosum.bench._frame import Budget
from zerosum.core.batch import Source
from zerosum.data.avatars import avatars
from zerosum.data.mnist import mnist
from zerosum.metrics.pca_gaussian import PcaGaussian, fit

HELDOUT = 1000


def pictures(budget: Budget) -> Mapping[str, Source]:
    """Digits and avatars; a smoke run fetches no package and has faces for both."""
    if budget == "smoke":
        faces = avatars(32, count=128, heldout_count=64, progress=False)
        return {"digits": faces, "avatars": faces}
    return {"digits": mnist(), "avatars": avatars(32)}


def unseen(source: Source) -> Tensor:
    """The first of those held out: pictures [n, C, H, W], or rows [n, columns]."""
    heldout = source.heldout()
    assert heldout is not None
    return heldout.batch(np.arange(min(HELDOUT, len(heldout)))).x  # type: ignore[attr-defined]


def principal(source: Source, components: int) -> PcaGaussian:
    """PCA of as many pictures or rows as the networks are shown."""
    return fit(source, components, pictures=len(source))
