"""Directions in a latent space: what an attribute adds to a code, and pictures moved along it or along one latent."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zerosum.core.errors import Refusal
from zerosum.core.generator import Encodes, Generator
from zerosum.latent.sliders import Slider, stretched

BATCH = 64
TRIED = 16  # codes on which it is tried how far a step must go
MIDDLE = 0.5  # between those without and those with an attribute


def mean_difference(generator: Generator, x_with: Tensor, x_without: Tensor) -> Tensor:
    """What an attribute adds to a code, [...]: the mean code of pictures with it less that of pictures without.

    Larsen et al. 2016 (arXiv 1512.09300), section 4. Pictures are float [n, C, H, W] in [-1, 1]; the two sets need not
    be of one size. Whatever else they differ in, the direction carries along: choose them alike in all but the
    attribute, or many. Raises Refusal if the generator does not encode, and for an empty set.
    """
    for x, which in ((x_with, "with"), (x_without, "without")):
        if len(x) == 0:
            raise Refusal(f"no pictures {which} the attribute came. Wanted some of both kinds, better a hundred each.")
    return encoded(generator, x_with).mean(0) - encoded(generator, x_without).mean(0)


def moved(generator: Generator, x: Tensor, direction: Tensor, strength: float = 1.0) -> Tensor:
    """Pictures x, encoded, moved by `strength` times the direction, and made again: float [n, C, H, W] in [-1, 1].

    Strength 1 adds what the direction's pictures had, -1 takes it away, 0 is the mere reconstruction. Raises Refusal
    if the generator does not encode.
    """
    return decoded(generator, encoded(generator, x) + strength * direction)


def calibrated(generator: Generator, slider: Slider, codes: Tensor) -> Slider:
    """The slider with the stretch by which pictures arrive (see `stretched`), as the generator's own encoder sees them.

    codes [n, d]: of pictures, some of which lack the attribute. Raises Refusal if the generator does not encode.
    """

    def arrived(moved: Tensor) -> float:
        return slider.position(encoded(generator, decoded(generator, moved))).mean().item()

    return stretched(slider, codes[slider.position(codes) < MIDDLE][:TRIED], arrived)


def traversal(generator: Generator, z: Tensor, latent: int, values: Tensor) -> Tensor:
    """Pictures from one code z [z_dim] in which one latent takes the values [m]: float [m, C, H, W] in [-1, 1]."""
    codes = z.repeat(len(values), 1)
    codes[:, latent] = values
    return decoded(generator, codes)


def encoded(generator: Generator, x: Tensor) -> Tensor:
    """Codes [n, ...] on the CPU of pictures x, a batch at a time.

    Raises Refusal if the generator does not encode, and for pictures of whole numbers.
    """
    if not isinstance(generator, Encodes):
        raise Refusal(
            f"{generator.header.game} has no encoder: it does not know which code a picture has. Wanted a game that "
            "encodes, such as vae or vaegan."
        )
    if not x.is_floating_point():
        raise Refusal(
            f"pictures came as {x.dtype}; wanted float in [-1, 1], as `zerosum.core.pictures.from_uint8` makes them."
        )
    return in_batches(generator.encode, x, generator.device)


def decoded(generator: Generator, z: Tensor) -> Tensor:
    """Pictures, float [n, C, H, W] in [-1, 1] on the CPU, from codes [n, ...], a batch at a time."""
    return in_batches(generator, z, generator.device)


def in_batches(function: Any, rows: Tensor, device: torch.device) -> Tensor:
    """What the function makes of rows [n, ...], a batch at a time on the device: float [n, ...] on the CPU."""
    with torch.inference_mode():
        return torch.cat([function(part.to(device)).float().cpu() for part in rows.split(BATCH)])
