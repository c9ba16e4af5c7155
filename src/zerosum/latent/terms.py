"""What a code should be: terms of one objective, each a number a picture, the less the better.

Inversion asks that the picture be like a given one; a brush, that it be so where it was painted; both that the code
stay where pictures come from. `weighted` makes one of many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.core.errors import Refusal
from zerosum.core.generator import Encodes, Generator, Judges
from zerosum.features.lpips import Lpips
from zerosum.latent.spaces import Latents


@dataclass(frozen=True)
class Look:
    """What a term may look at: coordinates u, their codes [n, ...] both, and the pictures made of these, float
    [n, C, H, W]."""

    u: Tensor
    code: Tensor
    picture: Tensor


Term = Callable[[Look], Tensor]  # float [n]


def weighted(terms: Sequence[tuple[float, Term]]) -> Term:
    """The sum of the terms, each by its weight; those that weigh nothing are not computed."""
    kept = [(weight, term) for weight, term in terms if weight]

    def total(look: Look) -> Tensor:
        return torch.stack([weight * term(look) for weight, term in kept]).sum(0)

    return total


def pixels(x: Tensor, power: int, mask: Tensor | None = None) -> Term:
    """The mean of |G - x|^power, over all numbers of the picture or those that the mask, [1 or n, 1, H, W] in [0, 1],
    weighs: the constraint of a stroke in Zhu et al. 2016 (arXiv 1609.03552)."""
    weight = torch.ones_like(x[:, :1]) if mask is None else mask.expand(len(x), 1, *x.shape[2:])
    share = weight / weight.mean((1, 2, 3), keepdim=True).clamp(min=1e-6)

    def error(look: Look) -> Tensor:
        return ((look.picture - x).abs().pow(power) * share).mean((1, 2, 3))

    return error


def perceptual(x: Tensor, lpips: Lpips) -> Term:
    """LPIPS to the pictures x."""
    with torch.no_grad():
        known = [part.detach() for part in lpips.seen(x)]

    def distance(look: Look) -> Tensor:
        return lpips.between(lpips.seen(look.picture), known)

    return distance


def prior(space: Latents) -> Term:
    """How far from where the prior lies."""
    return lambda look: space.improbable(look.u)


def near(u: Tensor) -> Term:
    """The mean square of the way from the coordinates u: the smoothness of Zhu et al. 2016."""
    return lambda look: (look.u - u).square().flatten(1).mean(1)


def in_domain(generator: Generator) -> Term:
    """The mean of |z - E(G(z))|^2: the domain-regularised optimisation of Zhu et al. 2020 (arXiv 2004.00049).

    What the encoder does not find again is no code of a picture of this kind. Raises Refusal without an encoder.
    """
    if not isinstance(generator, Encodes):
        raise Refusal(f"{generator.header.game} has no encoder to stay in the domain of.")
    encoder: Any = generator
    return lambda look: (look.code - encoder.encode(look.picture)).square().flatten(1).mean(1)


def judged(generator: Generator) -> Term:
    """-log D(G(z)): the word of the generator's own judge. Raises Refusal if it has none."""
    if not isinstance(generator, Judges) or generator.judge is None:
        raise Refusal(f"{generator.header.game} came without a judge here.")
    judge: Any = generator
    return lambda look: F.softplus(-judge.score(look.picture).float())
