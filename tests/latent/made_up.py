"""Made-up generators of which the truth is known: linear ones, whose pictures tell their latents exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape
from zerosum.core.generator import Generator, Header, LatentGenerator

SHAPE = DataShape(8, 8, 3)
Z = 6


def mixing(seed: int = 0, z: int = Z, shape: DataShape = SHAPE) -> Tensor:
    """[z, values] with orthogonal rows, so that pictures stay in [-1, 1] for all but the rarest latents."""
    rows = torch.randn(z, shape.channels * shape.height * shape.width, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(rows.T)[0].T.contiguous()


class Mix(nn.Module):
    """Pictures that are a linear mix of the latents, by one layer."""

    def __init__(self, shape: DataShape = SHAPE, z: int = Z) -> None:
        super().__init__()
        self.first = nn.Linear(z, shape.channels * shape.height * shape.width, bias=False)
        self.first.weight.data = mixing(z=z, shape=shape).T.contiguous()
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        return self.first(z).view(-1, self.shape.channels, self.shape.height, self.shape.width)


class Linear(LatentGenerator):
    """Samples: G(z) = A z."""

    def __init__(self, judge: nn.Module | None = None) -> None:
        super().__init__(Header("mix", {}, SHAPE, data="blobs"), Mix(), Z, judge)
        self.eval().requires_grad_(False)


class Encoding(Linear):
    """Encodes too, with an encoder that falls short: E(x) = 0.8 A^T x."""

    def encode(self, x: Tensor) -> Tensor:
        return 0.8 * x.flatten(1) @ mixing().T


class Styled(Generator):
    """Has styles: w = z M + 3, one for each of two layers, each of which makes half of the picture's rows."""

    def __init__(self, layers: int | None = 2) -> None:
        super().__init__(Header("styled", {}, SHAPE))
        self.M = nn.Parameter(torch.diag(torch.arange(1.0, Z + 1)) / 3, requires_grad=False)
        self.A = nn.Linear(Z, 192, bias=False)
        self.B = nn.Linear(Z, 192, bias=False)
        self.A.weight.data, self.B.weight.data = mixing(1).T.contiguous(), mixing(2).T.contiguous()
        self.layers = layers
        self.eval().requires_grad_(False)

    def latents(self, n: int, seed: int) -> Tensor:
        return torch.randn(n, Z, generator=torch.Generator().manual_seed(seed))

    def map(self, z: Tensor) -> Tensor:
        w = z @ self.M + 3
        return w if self.layers is None else w[:, None].expand(-1, self.layers, -1)

    def synthesize(self, w: Tensor) -> Tensor:
        first, second = (w, w) if w.dim() == 2 else (w[:, 0], w[:, 1])
        return (self.A(first) + self.B(second)).view(-1, 3, 8, 8) / 10

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesize(self.map(z))


class Distance:
    """Stands in for LPIPS: the mean square between pictures."""

    def seen(self, x: Tensor) -> list[Tensor]:
        return [x]

    def between(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        return (a[0] - b[0]).square().mean((1, 2, 3))

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.between([x], [y])
