from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from zerosum.core import restricted
from zerosum.core.errors import Refusal
from zerosum.core.packages import fetch
from zerosum.core.pictures import from_uint8
from zerosum.features import lpips, vgg
from zerosum.features.lpips import Lpips

NETS = ("alex", "vgg")


@pytest.fixture(scope="module")
def nets() -> dict[str, Lpips]:
    return {net: lpips.load(net) for net in NETS}


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """Rear Admiral Grace Hopper; in public domain, in matplotlib's sample data. [1, 3, 64, 64]"""
    file = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    return from_uint8(np.array(Image.open(file).convert("RGB").crop((0, 0, 512, 512)).resize((64, 64)))[None])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def by_the_definition(net: str, x: Tensor, y: Tensor) -> float:
    """Equation 1 in float64, from the raw tensors, one picture each, [3, H, W] in [-1, 1]."""
    raw: dict[str, Any] = restricted.read(fetch(f"lpips-{net}"))
    body = next(value for key, value in raw.items() if not key.startswith("NetLin"))
    vgg16 = [64, 64, "tap", "pool", 128, 128, "tap", "pool", *([256] * 3), "tap", "pool"]
    vgg16 += [*([512] * 3), "tap", "pool", *([512] * 3), "tap"]
    alexnet = [64, "tap", "pool", 192, "tap", "pool", 384, "tap", 256, "tap", 256, "tap"]

    def features(picture: Tensor) -> list[np.ndarray]:
        colours = (picture.double() + 1) / 2
        colours = (colours - torch.tensor([[[0.485]], [[0.456]], [[0.406]]])) / torch.tensor(
            [[[0.229]], [[0.224]], [[0.225]]]
        )
        h, number, found = colours[None], 0, []
        for step in alexnet if net == "alex" else vgg16:
            if step == "tap":
                found.append(h[0].numpy())
            elif step == "pool":
                h = F.max_pool2d(h, *((3, 2) if net == "alex" else (2, 2)))
            else:
                group = body[f"Conv_{number}"]
                weight = torch.from_numpy(group["kernel"].transpose(3, 2, 0, 1).astype(np.float64))
                assert len(weight) == step
                stride, margin = (4, 2) if weight.shape[-1] == 11 else (1, weight.shape[-1] // 2)
                bias = torch.from_numpy(group["bias"].astype(np.float64))
                h, number = F.conv2d(h, weight, bias, stride, margin).relu(), number + 1
        return found

    total = 0.0
    for i, (a, b) in enumerate(zip(features(x), features(y), strict=True)):
        a, b = (f / (np.sqrt((f**2).sum(0)) + 1e-10) for f in (a, b))
        head = raw[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(-1, 1, 1).astype(np.float64)
        total += float((head * (a - b) ** 2).sum(0).mean())
    return total


@pytest.mark.parametrize("net", NETS)
def test_it_equals_the_definition(nets: dict[str, Lpips], net: str, photograph: Tensor) -> None:
    x = torch.cat([photograph, noise(1, 3, 64, 64)])
    y = torch.cat([photograph.flip(3), photograph])
    wanted = [by_the_definition(net, a, b) for a, b in zip(x, y, strict=True)]
    assert nets[net](x, y).tolist() == pytest.approx(wanted, rel=1e-4)
    assert min(wanted) > 0.05


@pytest.mark.parametrize("net", NETS)
def test_a_distance(nets: dict[str, Lpips], net: str, photograph: Tensor) -> None:
    x, y = noise(2, 3, 48, 40), photograph[:, :, :48, :40].expand(2, -1, -1, -1)
    distance = nets[net]
    assert distance(x, x).tolist() == [0, 0]
    torch.testing.assert_close(distance(x, y), distance(y, x))
    torch.testing.assert_close(distance(x, y)[1:], distance(x[1:], y[1:]))


def blurred(x: Tensor, amount: int) -> Tensor:
    return F.avg_pool2d(F.pad(x, (amount,) * 4, mode="replicate"), 2 * amount + 1, 1)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("harm", [blurred, lambda x, amount: x + 0.1 * amount * noise(*x.shape)], ids=["blur", "noise"])
def test_more_harm_is_farther(
    nets: dict[str, Lpips], net: str, harm: Callable[[Tensor, int], Tensor], photograph: Tensor
) -> None:
    found = [nets[net](photograph, harm(photograph, amount)).item() for amount in (1, 2, 4)]
    assert 0.001 < found[0] < found[1] < found[2]


@pytest.mark.parametrize("net", NETS)
def test_the_map_shows_where(nets: dict[str, Lpips], net: str, photograph: Tensor) -> None:
    other = photograph.clone()
    other[..., :24, :24] = noise(1, 3, 24, 24)
    where = nets[net](photograph, other, spatial=True)
    assert where.shape == (1, 1, 64, 64)
    assert where[..., :24, :24].mean() > 4 * where[..., 40:, 40:].mean()
    assert where.mean().item() == pytest.approx(nets[net](photograph, other).item(), rel=0.1)


def test_gradients_lead_back(nets: dict[str, Lpips], photograph: Tensor) -> None:
    for start in (torch.full_like(photograph, -1), blurred(photograph, 2)):
        x = start.clone().requires_grad_()
        before = nets["alex"](x, photograph)
        (slope,) = torch.autograd.grad(before.sum(), x)
        assert slope.isfinite().all()
        after = nets["alex"](start - 0.01 * slope / slope.abs().max(), photograph)
        assert after < before


def test_vgg_shows_its_layers(photograph: Tensor) -> None:
    net = vgg.load()
    found = net(photograph, ["conv1_1", "relu5_3", "relu1_1", "pool3"])
    assert {name: tuple(x.shape[1:]) for name, x in found.items()} == {
        "conv1_1": (64, 64, 64),
        "relu1_1": (64, 64, 64),
        "pool3": (256, 8, 8),
        "relu5_3": (512, 4, 4),
    }
    assert found["conv1_1"].min() < 0
    assert torch.equal(found["conv1_1"].relu(), found["relu1_1"])
    with pytest.raises(Refusal, match="did you mean 'relu1_1'"):
        net(photograph, ["rely1_1"])


def test_what_cannot_be_compared_is_refused(nets: dict[str, Lpips], tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"32 x 40 and 40 x 32"):
        nets["alex"](noise(1, 3, 40, 32), noise(1, 3, 32, 40))
    with pytest.raises(Refusal, match="31 a side"):
        nets["alex"](noise(1, 3, 30, 40), noise(1, 3, 30, 40))
    assert nets["alex"](noise(1, 1, 31, 31), noise(1, 1, 31, 31, seed=1)) > 0
    assert nets["vgg"](noise(1, 4, 16, 16), noise(1, 4, 16, 16, seed=1)) > 0
    with pytest.raises(Refusal, match="'vga'; did you mean 'vgg'"):
        lpips.load("vga")  # type: ignore[arg-type]
    (tmp_path / "other.ckpt").write_bytes(b"other")
    with pytest.raises(Refusal, match=r"other\.ckpt"):
        lpips.load("alex", tmp_path / "other.ckpt")
