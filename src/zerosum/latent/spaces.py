"""Where a picture is sought: the latents z of any generator that samples, with labels or without; or StyleGAN's W.

A space knows coordinates u, which lie about as a standard normal does, so that one rate and one prior suit them all.
Codes are what the generator itself takes; they are what is kept, edited and made into pictures.
"""

from __future__ import annotations

from typing import Any, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.core.batch import TableShape
from zerosum.core.errors import Refusal, nearest
from zerosum.core.generator import ConditionalGenerator, Encodes, Generator, LatentGenerator, Samples, Styles
from zerosum.core.labels import blended, sizes
from zerosum.latent.way import Space as Name

DRAWN = 4096  # styles by which W's mean and spread are known
LEAST = 1e-3  # of W's largest deviation: narrower axes count as this wide
SOFT = 0.1  # of a label's certainty, spread over all classes: what is quite certain no gradient moves


class Latents:
    """The latents of a generator that samples: u is z itself."""

    name = "z"

    def __init__(self, generator: Generator):
        self.generator: Any = generator
        self._normal = generator.z_dim if isinstance(generator, LatentGenerator) else None  # further columns are none

    def drawn(self, n: int, seed: int) -> Tensor:
        """Coordinates [n, ...] from the prior, on the generator's device; row i depends on `seed` and i alone.

        Raises Refusal for a generator without a prior.
        """
        generator: Any = self.generator
        if not isinstance(generator, Samples):
            raise Refusal(f"{self.generator.header.game} draws nothing from noise: start from its encoder.")
        return self.coordinates(self.generator.latents(n, seed).to(self.generator.device))

    def coordinates(self, code: Tensor) -> Tensor:
        """Coordinates of codes, [n, ...] both."""
        return code

    def code(self, u: Tensor) -> Tensor:
        """Codes of coordinates, [n, ...] both."""
        return u

    def picture(self, code: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1], made from codes [n, ...]."""
        return self.generator(code)

    def improbable(self, u: Tensor) -> Tensor:
        """(|u|^2 / d - 1)^2, [n]: 0 on the shell on which nearly all of a normal of d dimensions lies."""
        normal = u.flatten(1)[:, : self._normal]
        return (normal.square().mean(1) - 1).square()


class Codes(Latents):
    """The codes of an autoencoder, which draws nothing: of them nothing is known to be improbable."""

    name = "code"

    def improbable(self, u: Tensor) -> Tensor:
        """0, [n]."""
        return u.new_zeros(len(u))


class Labelled(Latents):
    """Latents [z, labels]: the labels' coordinates are logits, so that what is sought stays a blend of classes."""

    def __init__(self, generator: ConditionalGenerator):
        super().__init__(generator)
        self._z = generator.z_dim
        self._attributes = generator.header.shape.attributes

    def coordinates(self, code: Tensor) -> Tensor:
        """The same z, and the logarithms of the labels' blend, a little softened."""
        labels = blended(code[:, self._z :], self._attributes).split(sizes(self._attributes), 1)
        soft = [(1 - SOFT) * part + SOFT / part.shape[1] for part in labels]
        return torch.cat([code[:, : self._z], *(part.log() for part in soft)], 1)

    def code(self, u: Tensor) -> Tensor:
        """The same z, and each label's softmax."""
        labels = u[:, self._z :].split(sizes(self._attributes), 1)
        return torch.cat([u[:, : self._z], *(F.softmax(part, 1) for part in labels)], 1)


class W(Latents):
    """Styles w: u are w less their mean, along their principal axes, each with variance 1.

    Styles [n, L, d], one w for each of L layers, are tied in W, where u is [n, d], and free in W+, where it is
    [n, L, d] (Abdal et al. 2019, arXiv 1904.03189).
    """

    def __init__(self, generator: Generator, plus: bool = False):
        super().__init__(generator)
        self._normal = None
        w = self._mapped(generator.latents(DRAWN, seed=0).to(generator.device))  # type: ignore[operator]
        self._layers = w.shape[1] if w.dim() == 3 else None
        if plus and self._layers is None:
            raise Refusal(f"--space w+: {generator.header.game} has one style for all layers. Take w.")
        self.name = "w+" if plus else "w"
        self._tied = self._layers is not None and not plus
        flat = w[:, 0] if w.dim() == 3 else w
        self.mean = flat.mean(0)
        _, spread, axes = torch.linalg.svd(flat - self.mean, full_matrices=False)
        self._spread = (spread / (len(flat) - 1) ** 0.5).clamp(min=LEAST * spread[0] / (len(flat) - 1) ** 0.5)
        self._axes = axes

    def drawn(self, n: int, seed: int) -> Tensor:
        """See Latents."""
        return self.coordinates(self._mapped(self.generator.latents(n, seed).to(self.generator.device)))

    def coordinates(self, code: Tensor) -> Tensor:
        """Along the principal axes; of tied styles those of the first layer."""
        return ((code[:, 0] if self._tied else code) - self.mean) @ self._axes.T / self._spread

    def code(self, u: Tensor) -> Tensor:
        """Styles, as `map` gives them."""
        w = self.mean + (u * self._spread) @ self._axes
        return w[:, None].expand(-1, self._layers, -1) if self._tied else w

    def picture(self, code: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1], synthesised from styles."""
        return self.generator.synthesize(code)

    def _mapped(self, z: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat([self.generator.map(part) for part in z.split(256)]).float()


def space_of(generator: Generator, name: Name = "auto") -> Latents:
    """The space of this name; auto is W where the generator has styles, else z.

    Raises Refusal where it has no such space, and for a generator of table rows or of nothing that can be sought.
    """
    game = generator.header.game
    if name not in get_args(Name):
        raise Refusal(f"--space {name}: no such space{nearest(name, get_args(Name))}")
    if isinstance(generator.header.shape, TableShape):
        raise Refusal(f"{game} has learnt a table here; pictures are sought among a generator's of pictures.")
    if isinstance(generator, Styles) and name != "z":
        return W(generator, plus=name == "w+")
    if name in ("w", "w+"):
        raise Refusal(f"--space {name}: {game} has no styles. Take z.")
    if isinstance(generator, ConditionalGenerator):
        return Labelled(generator)
    if isinstance(generator, Samples):
        return Latents(generator)
    if isinstance(generator, Encodes):
        return Codes(generator)
    raise Refusal(f"{game} makes no pictures from latents. Wanted a game that samples or encodes: zerosum games.")
