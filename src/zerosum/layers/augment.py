"""Augmentation, of what a discriminator sees, so that it does not come to know few pictures by heart."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LUMA = 1 / math.sqrt(3)  # each component of the axis of greys in the space of colours


class Augment(nn.Module):
    """Pictures turned, shifted, stretched and recoloured, each in each way with probability p; p 0 leaves all as they
    are.

    Karras et al. 2020 (arXiv 2006.06676), section 3 and appendix B: pixel blitting, geometry and colour, the three that
    section 3.1 finds to help. What a discriminator is told of augmented pictures does not leak into the made ones as
    long as p stays below about 0.8 (appendix C). Bilinear sampling in place of the paper's wavelet filters.
    Gradients reach the pictures. The buffer `p` may move.
    """

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Buffer(torch.zeros(()))
        self.adapted = nn.Buffer(torch.zeros((), dtype=torch.float64))  # images by the last adaptation

    def forward(self, x: Tensor) -> Tensor:
        """float [n, C, H, W] of pictures [n, C, H, W] in [-1, 1]; colours may leave the range."""
        if not self.p:
            return x
        with torch.autocast(x.device.type, enabled=False):
            return self._recoloured(self._moved(x.float()))

    @torch.no_grad()
    def adapt(self, real: Tensor, target: float, pace: int, images: int) -> None:
        """p a step up where a discriminator's logits [n] call more real pictures real than r_t = E[sign(D(x))] =
        `target`, else a step down; from 0 to 1 takes `pace` pictures (section 3.2). `images`: drawn by now."""
        step = (images - float(self.adapted)) / pace
        self.p.add_((real.float().sign().mean() - target).sign() * step).clamp_(0, 1)
        self.adapted.fill_(images)

    def _chosen(self, like: Tensor, value: Tensor, neutral: float = 0.0, p: Tensor | None = None) -> Tensor:
        """Each picture's value [n] with probability p, else the neutral one."""
        return torch.where(torch.rand(len(value), device=like.device) < (self.p if p is None else p), value, neutral)

    def _moved(self, x: Tensor) -> Tensor:
        """Blitting and geometry, all in one sampling; what lies outside is reflected. Appendix B, lines 1 to 27."""
        n, (height, width) = len(x), x.shape[2:]
        normal, uniform = (lambda: torch.randn(n, device=x.device)), (lambda: torch.rand(n, device=x.device))
        half = 1 - (1 - self.p).sqrt()  # two rotations, of which one or both come with probability p
        flip = self._chosen(x, 1 - 2 * (uniform() < 0.5).float(), 1.0)
        quarters = self._chosen(x, (4 * uniform()).floor() * (math.pi / 2 if height == width else math.pi))
        shift = [self._chosen(x, 0.25 * uniform() - 0.125 + 0.125 * normal()) for _ in "xy"]
        size, ratio = (self._chosen(x, 2 ** (0.2 * normal()), 1.0) for _ in "sr")
        before, after = (self._chosen(x, math.pi * (2 * uniform() - 1), 0.0, half) for _ in "ba")
        matrix = (
            rotation(after) @ scaling(size * ratio, size / ratio) @ rotation(before + quarters) @ scaling(flip, flip**0)
        )
        # grid_sample's coordinates run from -1 to 1 along both sides, a rotation is one of pixels.
        sides = torch.tensor([width, height], device=x.device, dtype=torch.float32)
        matrix = torch.cat([matrix * sides / sides[:, None], 2 * torch.stack(shift, 1)[:, :, None]], 2)
        grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)

    def _recoloured(self, x: Tensor) -> Tensor:
        """Brightness and contrast; of RGB also luma flip, hue and saturation. Appendix B, lines 28 to 43. What follows
        the colours in a picture's channels, its transparency, stays."""
        n, colours = len(x), 3 if x.shape[1] >= 3 else 1
        normal, uniform = (lambda: torch.randn(n, device=x.device)), (lambda: torch.rand(n, device=x.device))
        shown, rest = x[:, :colours], x[:, colours:]
        matrix = torch.eye(colours, device=x.device) * self._chosen(x, 2 ** (0.5 * normal()), 1.0)[:, None, None]
        if colours == 3:
            v = torch.full((3,), LUMA, device=x.device)
            luma, eye = torch.outer(v, v), torch.eye(3, device=x.device)
            flip = self._chosen(x, (uniform() < 0.5).float())[:, None, None]
            matrix = (eye - 2 * flip * luma) @ matrix
            matrix = turned(self._chosen(x, math.pi * (2 * uniform() - 1)), v) @ matrix
            matrix = (luma + self._chosen(x, 2 ** normal(), 1.0)[:, None, None] * (eye - luma)) @ matrix
        brightness = self._chosen(x, 0.2 * normal())[:, None, None, None]
        recoloured = torch.einsum("nij,njhw->nihw", matrix, shown + brightness)
        return torch.cat([recoloured, rest], 1)


def rotation(angle: Tensor) -> Tensor:
    """Matrices [n, 2, 2] that rotate the plane by angles [n], in radians."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], 1).unflatten(1, (2, 2))


def scaling(across: Tensor, down: Tensor) -> Tensor:
    """Matrices [n, 2, 2] that stretch the plane by so much along each side."""
    return torch.diag_embed(torch.stack([across, down], 1))


def turned(angle: Tensor, axis: Tensor) -> Tensor:
    """Matrices [n, 3, 3] that rotate space by angles [n] about an axis [3] of length 1 (Rodrigues' formula)."""
    x, y, z = axis
    o = torch.zeros((), device=axis.device)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o]).unflatten(0, (3, 3))
    angle = angle[:, None, None]
    return angle.cos() * torch.eye(3, device=axis.device) + angle.sin() * cross + (1 - angle.cos()) * axis.outer(axis)
