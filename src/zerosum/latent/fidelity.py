"""How well a model can represent a picture: beside what it makes of others, and in a plain word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from zerosum.features.lpips import Lpips

USUAL = 0.95  # share of the other pictures that are redrawn better than one that counts as imagined


@dataclass(frozen=True)
class Fidelity:
    """How like a redrawn picture is: PSNR in dB (the more the better) and LPIPS (the less)."""

    psnr: float
    lpips: float


def fidelities(x: Tensor, redrawn: Tensor, lpips: Lpips) -> list[Fidelity]:
    """Of each picture, float [n, C, H, W] in [-1, 1] both. `lpips` is best another than was sought by: "alex"."""
    return [Fidelity(a, b) for a, b in zip(psnr(x, redrawn).tolist(), lpips(x, redrawn).tolist(), strict=True)]


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal to noise in dB, [n]: -10 log10 of the mean square, the range of a pixel being 1; at most 100."""
    square = ((x - y) / 2).double().square().mean((1, 2, 3))
    return -10 * square.clamp(min=1e-10).log10()


@dataclass(frozen=True)
class Verdict:
    """The word on a picture: whether what was redrawn is imagined rather than seen, and why, in a sentence.

    `beaten`: the share of the other pictures that were redrawn better, by LPIPS.
    """

    imagined: bool
    beaten: float
    says: str


def verdict(one: Fidelity, others: Sequence[Fidelity], called: str) -> Verdict:
    """The word on one picture beside `others`, redrawn in the same way and `called` such as "16 held-out pictures".

    Imagined is what is redrawn worse than 95 in a hundred of the others.
    """
    theirs = np.array([other.lpips for other in others])
    beaten = float((theirs < one.lpips).mean())
    usual = (
        f"of {called} half come nearer than {np.median(theirs):.3f}, 95 in 100 than {np.quantile(theirs, USUAL):.3f}"
    )
    if one.lpips > np.quantile(theirs, USUAL):
        return Verdict(True, beaten, f"imagined: this model cannot make it (LPIPS {one.lpips:.3f}; {usual})")
    return Verdict(False, beaten, f"redrawn as well as others (LPIPS {one.lpips:.3f}; {usual})")
