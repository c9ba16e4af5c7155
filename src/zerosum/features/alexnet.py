"""AlexNet trained on ImageNet: the small network of LPIPS."""

from __future__ import annotations

from torch import nn

from zerosum.features.convs import Convs


class AlexNet(Convs):
    """The convolutions of AlexNet: Krizhevsky 2014 (arXiv 1404.5997). `lpips.load` gives it its weights.

    Layers: conv1, relu1, pool1, conv2, ... relu5; of pictures from 31 pixels a side.
    """

    name = "alexnet"

    def __init__(self) -> None:
        layers: list[tuple[str, nn.Module]] = [
            ("conv1", nn.Conv2d(3, 64, 11, stride=4, padding=2)),
            ("relu1", nn.ReLU()),
            ("pool1", nn.MaxPool2d(3, 2)),
            ("conv2", nn.Conv2d(64, 192, 5, padding=2)),
            ("relu2", nn.ReLU()),
            ("pool2", nn.MaxPool2d(3, 2)),
            ("conv3", nn.Conv2d(192, 384, 3, padding=1)),
            ("relu3", nn.ReLU()),
            ("conv4", nn.Conv2d(384, 256, 3, padding=1)),
            ("relu4", nn.ReLU()),
            ("conv5", nn.Conv2d(256, 256, 3, padding=1)),
            ("relu5", nn.ReLU()),
        ]
        super().__init__(layers, min_side=31)
