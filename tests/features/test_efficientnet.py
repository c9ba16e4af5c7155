import io
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core.errors import Refusal
from zerosum.core.packages import fetch
from zerosum.core.pictures import from_uint8
from zerosum.features import efficientnet
from zerosum.features.efficientnet import EfficientNet

GRANNY_SMITH, ORANGE, SUIT, MILITARY_UNIFORM = 948, 950, 834, 652  # of ImageNet's 1,000 classes


@pytest.fixture(scope="module")
def net() -> EfficientNet:
    return efficientnet.load(bf16=False)


def photographs(kind: str, count: int) -> Tensor:
    import pyarrow.parquet

    columns = ["finegrained_cat", "image_data"]
    table = pyarrow.parquet.read_table(fetch("fruit"), columns=columns, use_threads=False)
    rows = [i for i, name in enumerate(table["finegrained_cat"].to_pylist()) if name == kind][:count]
    files = [Image.open(io.BytesIO(table["image_data"][i].as_py())).convert("RGB").resize((200, 200)) for i in rows]
    return from_uint8(np.stack([np.asarray(file) for file in files]))


@pytest.mark.parametrize(("kind", "label"), [("Granny-Smith", GRANNY_SMITH), ("Orange", ORANGE)])
def test_it_names_photographs_of_fruit(net: EfficientNet, kind: str, label: int) -> None:
    best = net.logits(photographs(kind, 40)).topk(5).indices
    assert best[:, 0].mode().values == label  # some oranges lie in nets, or are taken for lemons
    assert best[:, 0].eq(label).float().mean() >= 0.45
    assert best.eq(label).any(1).float().mean() >= 0.9


def test_it_names_a_photograph_of_a_person(net: EfficientNet) -> None:
    """Rear Admiral Grace Hopper, in uniform; in public domain, in matplotlib's sample data."""
    file = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    pixels = np.array(Image.open(file).convert("RGB").crop((0, 0, 512, 512)))
    best = net.logits(from_uint8(pixels[None])).topk(3).indices[0].tolist()  # the third is the tie
    assert {SUIT, MILITARY_UNIFORM} <= set(best)


def test_batches_do_not_matter(net: EfficientNet) -> None:
    x = torch.rand(19, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    whole = net.features(x)
    parts = torch.cat([net.features(part) for part in x.split(3)])
    assert (parts - whole).abs().max() < 1e-5 * whole.abs().max()


def test_bfloat16_sees_much_the_same(net: EfficientNet) -> None:
    x = photographs("Orange", 8)
    rough = efficientnet.load(bf16=True)
    assert F.cosine_similarity(rough.features(x), net.features(x)).min() > 0.99
    assert rough.key != net.key


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (2, 20, 30), (4, 300, 200)])
def test_any_picture(net: EfficientNet, channels: int, height: int, width: int) -> None:
    x = torch.ones(2, channels, height, width)  # white, where nothing shines through
    torch.testing.assert_close(net.features(x), net.features(torch.ones(2, 3, 128, 128)), rtol=1e-4, atol=1e-4)


def test_folding_equals_the_batch_norm() -> None:
    conv, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5, eps=efficientnet.BN_EPS)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    norm(conv(torch.randn(16, 3, 9, 9)))  # sets the running statistics
    raw = {"c.weight": conv.weight} | {f"n.{key}": value for key, value in norm.state_dict().items()}
    folded = efficientnet._folded(raw, "ours", "c", "n")
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(
        F.conv2d(x, folded["ours.weight"], folded["ours.bias"]), norm.eval()(conv(x)), rtol=1e-4, atol=1e-5
    )


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"some.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(Refusal, match=r"other\.pth"):
        efficientnet.load(tmp_path / "other.pth")
    with pytest.raises(Refusal, match="_fc"):
        efficientnet._converted(tmp_path / "other.pth")
