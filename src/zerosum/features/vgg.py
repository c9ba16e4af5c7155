"""VGG16 trained on ImageNet, layer by layer: what style and perceptual losses look through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from torch import nn

from zerosum.features.convs import Convs, tensors

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # channels; between them a pooling


class VGG16(Convs):
    """The convolutions of VGG16 (column D): Simonyan and Zisserman 2014 (arXiv 1409.1556). Made by `load`.

    Layers: conv1_1, relu1_1, conv1_2, relu1_2, pool1, conv2_1, ... relu5_3; of pictures from 16 pixels a side.
    """

    name = "vgg16"

    def __init__(self) -> None:
        super().__init__(_layers(), min_side=16)


def _layers() -> Iterator[tuple[str, nn.Module]]:
    c_in = 3
    for block, widths in enumerate(BLOCKS, 1):
        if block > 1:
            yield f"pool{block - 1}", nn.MaxPool2d(2)
        for i, c_out in enumerate(widths, 1):
            yield f"conv{block}_{i}", nn.Conv2d(c_in, c_out, 3, padding=1)
            yield f"relu{block}_{i}", nn.ReLU()
            c_in = c_out


def load(path: str | Path | None = None, device: str = "cpu") -> VGG16:
    """The network with its ImageNet weights, from LPIPS's package or from `path` (the package's vgg16.ckpt).

    Raises Refusal if the weights cannot be had, or are not those of VGG16.
    """
    net = VGG16()
    found, _ = tensors("lpips-vgg", net, path)
    net.load_state_dict({key.removeprefix("convs."): found[key] for key in found if key.startswith("convs.")})
    return net.eval().requires_grad_(False).to(device)
