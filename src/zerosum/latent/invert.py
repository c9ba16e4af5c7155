"""The latents of a given picture: by the generator's own encoder, by optimisation, or by both, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from zerosum.core.errors import Refusal
from zerosum.core.generator import Encodes, Generator
from zerosum.features import lpips
from zerosum.latent import terms
from zerosum.latent.descent import Descent, Found, descend
from zerosum.latent.spaces import Latents, W, space_of
from zerosum.latent.way import Likeness, Way

TRIED = 256  # latents drawn, of which those nearest to the picture become starts
STEPS = {"hybrid": 40, "optimise": 100}  # where the way leaves them open
RATE = {"hybrid": 0.2, "optimise": 0.1}


@dataclass(frozen=True)
class Inversion:
    """What was found, on the CPU: codes [n, ...] of `space` ("z", "w", "w+" or "code"), and the pictures made of them,
    float [n, C, H, W] in [-1, 1]; by which way."""

    code: Tensor
    picture: Tensor
    space: str
    how: str


def invert(
    generator: Generator, x: Tensor, way: Way | None = None, shown: Callable[[int], None] | None = None
) -> Inversion:
    """Latents that come near to making the pictures x, float [n, C, H, W] in [-1, 1] of the generator's own size.

    The generator stands in evaluation mode, so that no picture depends on another. The objective is likeness, the
    prior and, of an encoder, its domain (see `latent.terms`); `shown(step)` is told of each step.
    Raises Refusal for pictures of another size, and for a way that this generator cannot go.
    """
    way = way or Way()
    _check(generator, x)
    space, how = space_of(generator, way.space), how_of(generator, way)
    x = x.to(generator.device)
    if how == "encoder":
        found = _told(space, x)
    elif how == "hybrid":
        descent = descent_of(way, how)
        found = descend(space, _objective(generator, space, x, way), encoded_start(space, x), descent, shown)
    else:
        found = _from_drawn(space, x, generator, way, shown)
    return Inversion(found.code.cpu(), found.picture.float().cpu(), space.name, how)


def _told(space: Latents, x: Tensor) -> Found:
    """What the encoder says, as it is."""
    with torch.no_grad():
        u = encoded_start(space, x)
        code = space.code(u)
        return Found(u, code, space.picture(code), u.new_zeros(len(u)))


def encoded_start(space: Latents, x: Tensor) -> Tensor:
    """Coordinates [n, ...] of what the generator's encoder says of pictures x."""
    with torch.no_grad():
        z = space.generator.encode(x).float()
        return space.coordinates(space.generator.map(z) if isinstance(space, W) else z)


def drawn_starts(space: Latents, x: Tensor, starts: int, seed: int) -> Tensor:
    """Coordinates [n * starts, ...]: of latents drawn from the prior, for each picture those whose pictures lie nearest
    in mean square."""
    with torch.no_grad():
        u = space.drawn(max(TRIED, starts), seed)
        made = torch.cat([space.picture(space.code(part)).float() for part in u.split(64)])
        apart = torch.cdist(x.flatten(1).float(), made.flatten(1))
        return u[apart.argsort(dim=1, stable=True)[:, :starts].flatten()]


def _from_drawn(
    space: Latents, x: Tensor, generator: Generator, way: Way, shown: Callable[[int], None] | None
) -> Found:
    """From several drawn starts for each picture at once; of each picture, the best."""
    starts = way.starts
    many = x.repeat_interleave(starts, 0)
    objective = _objective(generator, space, many, way)
    found = descend(space, objective, drawn_starts(space, x, starts, way.seed), descent_of(way, "optimise"), shown)
    best = found.loss.view(len(x), starts).argmin(1) + starts * torch.arange(len(x), device=x.device)
    return Found(*(part[best] for part in vars(found).values()))


def _objective(generator: Generator, space: Latents, x: Tensor, way: Way) -> terms.Term:
    """Likeness, the prior, and of a generator that encodes the domain of its encoder."""
    parts = [*likeness(x, way.loss), (way.prior, terms.prior(space))]
    if isinstance(generator, Encodes) and not isinstance(space, W):
        parts.append((way.domain, terms.in_domain(generator)))
    return terms.weighted(parts)


def likeness(x: Tensor, loss: Likeness) -> list[tuple[float, terms.Term]]:
    """The terms of likeness to the pictures x, each with weight 1. LPIPS comes from its package."""
    found: list[tuple[float, terms.Term]] = []
    if loss in ("sum", "l1"):
        found.append((1.0, terms.pixels(x, 1)))
    if loss in ("sum", "l2"):
        found.append((1.0, terms.pixels(x, 2)))
    if loss in ("sum", "lpips"):
        found.append((1.0, terms.perceptual(x, lpips.load("vgg", device=str(x.device)))))
    return found


def _check(generator: Generator, x: Tensor) -> None:
    shape = generator.header.shape
    if not x.is_floating_point():
        raise Refusal(f"pictures came as {x.dtype}; wanted float in [-1, 1], as core.pictures.from_uint8 makes them.")
    if x.dim() != 4 or len(x) == 0 or x.shape[1:] != (shape.channels, shape.height, shape.width):
        raise Refusal(f"pictures came as {list(x.shape)}; wanted [n, {shape.channels}, {shape.height}, {shape.width}].")


def how_of(generator: Generator, way: Way) -> Literal["hybrid", "encoder", "optimise"]:
    """Which way it is to be. Raises Refusal for one by an encoder where there is none."""
    encodes = isinstance(generator, Encodes)
    if way.how == "auto":
        return "hybrid" if encodes else "optimise"
    if way.how in ("hybrid", "encoder") and not encodes:
        raise Refusal(
            f"--how {way.how}: {generator.header.game} has no encoder here. Take --how optimise, or a game that "
            "encodes, such as house, vae or vaegan (a house from before it encoded is to be trained anew)."
        )
    return way.how


def descent_of(way: Way, how: str) -> Descent:
    """The steps of a way; by the encoder alone there are none."""
    if how == "encoder":
        return Descent(0, 1.0)
    steps = STEPS[how] if way.steps is None else way.steps
    return Descent(steps, way.rate or RATE[how], finish=way.finish)
