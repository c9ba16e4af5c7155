"""A classifier of real pictures that takes no part in training: whether what was made is what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core.batch import DataShape, Images, Source
from zerosum.core.files import cache_dir, digest, save_tensors
from zerosum.core.labels import sizes
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.match import Order

RECIPE = 1  # raise it when another network would come of the same pictures
BATCH, RATE, WIDTH = 64, 2e-3, 32


class Classifier(nn.Module):
    """Logits of every attribute, [n, all classes], of pictures [n, C, H, W] in [-1, 1]."""

    def __init__(self, shape: DataShape):
        super().__init__()
        self.sizes = sizes(shape.attributes)
        widths = [shape.channels, WIDTH, 2 * WIDTH, 4 * WIDTH]
        layers: list[nn.Module] = []
        for narrow, wide in pairwise(widths):
            layers += [nn.Conv2d(narrow, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU(), nn.MaxPool2d(2)]
        size = 4 * WIDTH * (shape.height // 8) * (shape.width // 8)
        self.net = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(size, sum(self.sizes)))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    @torch.inference_mode()
    def told(self, x: Tensor) -> Tensor:
        """The likeliest class of each attribute, int64 codes [n, A], of any number of pictures."""
        parts = [self(part).split(self.sizes, 1) for part in x.split(256)]
        return torch.cat([torch.stack([logits.argmax(1) for logits in part], 1) for part in parts])


def classifier(source: Source, images: int) -> Classifier:
    """Trained on so many of the source's pictures, each epoch once through; from the cache, where it was trained."""
    path = cache_dir("classifiers") / f"{digest([source.fingerprint, RECIPE, images, str(source.shape)])}.safetensors"
    torch.manual_seed(0)
    net = Classifier(source.shape)
    if path.is_file():
        net.load_state_dict(load_file(path))
        return net.eval()
    _train(net, source, images)
    net.cpu()
    save_tensors(path, net.state_dict())
    return net.eval()


def _train(net: Classifier, source: Source, images: int) -> None:
    """Adam with one cycle of the rate; cross-entropies of all attributes summed; pictures moved by up to 2 pixels."""
    steps, machine = max(2, images // BATCH), choose(Plan())
    torch.set_flush_denormal(True)  # as the trainer does
    machine.take(net).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    order = Order(len(source), seed=0, replacement=False)
    for step in range(steps):
        batch = source.batch(order.draw(step * BATCH, BATCH))
        assert isinstance(batch, Images)
        batch = batch.to(machine.device, machine.memory_format)
        y = batch.y
        assert y is not None
        with machine.autocast():
            logits = net(_moved(batch.x))
        parts = enumerate(logits.float().split(net.sizes, 1))
        loss = torch.stack([F.cross_entropy(part, y[:, a]) for a, part in parts]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cycle.step()


def _moved(x: Tensor) -> Tensor:
    right, down = torch.randint(-2, 3, (2,)).tolist()
    return x.roll((down, right), (2, 3))


def accuracies(net: Classifier, shape: DataShape, pictures: Callable[[int, int], Tensor]) -> list[float]:
    """For each attribute, in %: how often a picture of a class is told as that class, the mean over its classes, so
    that a common class counts no more than a rare one. `pictures(a, code)` gives those of a class, perhaps none.
    """
    found = []
    for a, attribute in enumerate(shape.attributes):
        classes = [pictures(a, code) for code in range(len(attribute.classes))]
        hits = [(net.told(x)[:, a] == code).float().mean().item() for code, x in enumerate(classes) if len(x)]
        found.append(100 * sum(hits) / len(hits))
    return found
