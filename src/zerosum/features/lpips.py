"""LPIPS: how different two pictures look to a person, as far as deep features can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core.errors import Refusal, nearest
from zerosum.features.alexnet import AlexNet
from zerosum.features.convs import Convs, tensors
from zerosum.features.vgg import VGG16

Net = Literal["alex", "vgg"]
_NETS: dict[str, type[AlexNet] | type[VGG16]] = {"alex": AlexNet, "vgg": VGG16}
TAPS = {  # the layers that are compared, and their channels
    "alex": {"relu1": 64, "relu2": 192, "relu3": 384, "relu4": 256, "relu5": 256},
    "vgg": {"relu1_2": 64, "relu2_2": 128, "relu3_3": 256, "relu4_3": 512, "relu5_3": 512},
}


class Lpips(nn.Module):
    """Learned perceptual distance: Zhang et al. 2018 (arXiv 1801.03924), with the linear heads of version 0.1. Made by
    `load`. "alex" is the faster and the usual measure; "vgg" is smoother as a loss."""

    def __init__(self, net: Net = "alex", weights: str = "none") -> None:
        super().__init__()
        self.convs: Convs = _NETS[net]()
        self.taps = TAPS[net]
        self.heads = nn.ParameterList(torch.zeros(width) for width in self.taps.values())
        self.key = f"lpips-{net} {weights}"

    def forward(self, x: Tensor, y: Tensor, spatial: bool = False) -> Tensor:
        """The distances of pictures x and y, float [n, 1 to 4 channels, H, W] in [-1, 1], in their own size: float [n]
        from 0 on; or where they lie, float [n, 1, H, W], if `spatial`. Gradients flow to both.

        Equation 1. Raises Refusal for pictures of different sizes, and for those that are too small for the network.
        """
        if x.shape[2:] != y.shape[2:]:
            raise Refusal(f"LPIPS of {_size(x)} and {_size(y)} pixels: wanted pictures of one size.")
        maps = self._maps(self.seen(x), self.seen(y))
        if spatial:
            grown = [F.interpolate(part, size=x.shape[2:], mode="bilinear") for part in maps]
            return torch.stack(grown).sum(0)
        return self._summed(maps)

    def seen(self, x: Tensor) -> list[Tensor]:
        """What the network sees in pictures x, for `between`: whoever compares many with one looks at it once."""
        # Where all channels are 0, F.normalize has a gradient; the square root of the paper's formula has none.
        return [F.normalize(part, dim=1, eps=1e-10) for part in self.convs(x, self.taps).values()]

    def between(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        """The distances, float [n], of pictures of one size, from what is `seen` in them."""
        return self._summed(self._maps(a, b))

    def _maps(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
        return [self._map(*parts) for parts in zip(a, b, self.heads, strict=True)]

    @staticmethod
    def _summed(maps: Sequence[Tensor]) -> Tensor:
        return torch.stack([part.mean((1, 2, 3)) for part in maps]).sum(0)

    @staticmethod
    def _map(a: Tensor, b: Tensor, head: Tensor) -> Tensor:
        return F.conv2d((a - b).square(), head.view(1, -1, 1, 1))


def load(net: Net = "alex", path: str | Path | None = None, device: str = "cpu") -> Lpips:
    """The distance by this network, from its package or from `path` (the package's .ckpt).

    Raises Refusal for an unknown network, and if the weights cannot be had or are not these.
    """
    if net not in get_args(Net):
        raise Refusal(f"LPIPS has no network '{net}'{nearest(net, get_args(Net))}")
    found, digest = tensors(f"lpips-{net}", _NETS[net](), path)
    distance = Lpips(net, digest)
    distance.load_state_dict(found)
    return distance.eval().requires_grad_(False).to(device)


def _size(x: Tensor) -> str:
    return f"{x.shape[3]} x {x.shape[2]}"
