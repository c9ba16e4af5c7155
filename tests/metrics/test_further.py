"""The further scores on made-up pictures; in the trained networks' place stand eyes that need no weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.metrics.made_up import Made, scenes
from tests.metrics.test_diversity import Differs
from zerosum.core.batch import Attribute, DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.pictures import from_uint8, to_uint8
from zerosum.features import efficientnet
from zerosum.features.random_conv import RandomConv
from zerosum.metrics import frechet, further, gallery
from zerosum.metrics.further import Further
from zerosum.metrics.kid import kid
from zerosum.metrics.names import MORE
from zerosum.metrics.panel import Panel


class Labelled(Made):
    """Dark ground or light ground; a second attribute that no one can see."""

    def __init__(self, pixels: np.ndarray, heldout: np.ndarray | None = None, name: str = "made"):
        super().__init__(pixels, heldout, name)
        kinds = (Attribute("ground", ("dark", "light")), Attribute("luck", ("good", "bad")))
        self.shape = DataShape(*pixels.shape[1:], kinds)

    def batch(self, indices: np.ndarray) -> Images:
        light = is_light(self.pixels[indices]).astype(np.int64)
        return Images(from_uint8(self.pixels[indices]), torch.from_numpy(np.stack([light, indices % 2], 1)))

    def heldout(self) -> "Labelled | None":
        return None if self._heldout is None else Labelled(self._heldout, name=self.name)


def is_light(pixels: np.ndarray) -> np.ndarray:
    return pixels[:, 0].mean((1, 2)) > 128


@pytest.fixture(autouse=True)
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "cache_dir", lambda *parts: tmp_path)
    monkeypatch.setattr(further.efficientnet, "load", lambda device: RandomConv())
    monkeypatch.setattr(further.inception, "load", lambda device, bf16: RandomConv())
    monkeypatch.setattr(further.lpips, "load", lambda device: Differs())


def judged(pixels: np.ndarray, names: tuple[str, ...] = MORE, source: Made | None = None) -> dict[str, dict]:
    source = source or Labelled(scenes(300, side=16), heldout=scenes(80, seed=9, side=16))
    found = Further(Panel(source, judges=("random",)), pixels).score(names)
    assert json.loads(json.dumps(found)) == found
    return found


def test_other_real_pictures_are_called_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "FEWEST", 60)
    found = judged(scenes(200, seed=1, side=16))
    assert list(found) == list(MORE)
    fid = found["fid"]
    assert (fid["n"], fid["n_real"]) == (200, 300)
    assert fid["value"] < fid["floor"] < fid["pca_gaussian"], "the floor is of 80 pictures: more bias"
    for name in ("precision", "recall", "density", "coverage"):
        assert found["prdc"][name]["value"] == pytest.approx(found["prdc"][name]["ceiling"], abs=0.1)
    memory = found["memorisation"]
    assert not memory["copies"]
    assert "no sign of copies" in memory["text"]
    assert (memory["n_train"], memory["n_heldout"]) == (300, 80)
    assert memory["duplicates"]["support"] is None
    assert found["classes"]["ground"]["accuracy"] > 0.85
    assert found["classes"]["ground"]["missing"] == []
    assert "guessing reaches" in found["classes"]["luck"]["refused"]
    assert found["diversity"]["low"] < found["diversity"]["real"]["value"] < found["diversity"]["high"]


def test_copies_are_caught_even_mirrored_and_their_originals_named() -> None:
    copies = scenes(300, side=16)[20:100, :, ::-1]
    found = judged(np.ascontiguousarray(copies), ("memorisation",))["memorisation"]
    assert found["copies"]
    assert "memorised" in found["text"]
    assert found["efficientnet"]["effect"] > 0.95
    pairs = found["pairs"]
    assert len(pairs) == 16
    assert all(pair["train"] == pair["made"] + 20 and pair["mirrored"] for pair in pairs)
    assert [pair["distance"] for pair in pairs] == sorted(pair["distance"] for pair in pairs)


def test_held_out_and_blurred_pictures_are_not_accused() -> None:
    smooth = to_uint8(F.avg_pool2d(from_uint8(scenes(100, seed=1, side=16)), 3, 1, 1))
    for pixels in (scenes(80, seed=9, side=16), smooth):
        assert not judged(pixels, ("memorisation",))["memorisation"]["copies"]


def test_few_pictures_repeated_are_counted() -> None:
    few = np.repeat(scenes(6, seed=1, side=16), 20, axis=0)
    found = judged(few, ("memorisation", "diversity", "prdc"))
    assert found["memorisation"]["duplicates"]["support"] == pytest.approx(6, abs=1)
    assert found["diversity"]["high"] < found["diversity"]["real"]["value"]
    assert found["prdc"]["recall"]["value"] < 0.5 * found["prdc"]["recall"]["ceiling"]


def test_a_class_that_is_not_made_is_missed() -> None:
    made = scenes(300, seed=1, side=16)
    found = judged(made[made[:, 0].mean((1, 2)) > 170], ("classes",))["classes"]["ground"]
    assert found["missing"] == ["dark"]
    assert found["distance"] > 0.3


def test_blur_and_noise_move_every_distance_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "FEWEST", 60)
    x = from_uint8(scenes(150, seed=1, side=16))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))

    def blurred(times: int) -> Tensor:
        y = x
        for _ in range(times):
            y = F.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
        return y

    for harmed in ([blurred(0), blurred(1), blurred(3)], [x + s * noise for s in (0, 0.1, 0.3)]):
        fids = [judged(to_uint8(y), ("fid",))["fid"]["value"] for y in harmed]
        assert fids == sorted(fids)
        assert fids[2] > 2 * fids[0]


def test_each_refuses_with_its_reason_and_the_others_go_on() -> None:
    plain = Made(scenes(90, side=16), heldout=scenes(20, side=16))
    found = judged(scenes(60, seed=1, side=16), source=plain)
    assert "mostly bias" in found["fid"]["refused"]
    assert "halves of 45" in found["prdc"]["refused"]
    assert "held back" in found["memorisation"]["refused"]
    assert "carries no labels" in found["classes"]["refused"]
    assert found["diversity"]["pairs"] == 30
    with pytest.raises(Refusal, match="prdc"):
        judged(scenes(60, side=16), ("prcd",), plain)


def test_a_wrong_resize_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bilinear without antialiasing in the place of ours, of the same pictures, on one side."""
    monkeypatch.undo()
    eyes = efficientnet.load()
    real, made = (from_uint8(scenes(60, seed=s, side=160)) for s in (0, 1))
    known = eyes.features(real)
    right = kid(eyes.features(made), known)
    wrong = kid(eyes.features(F.interpolate(made, size=(128, 128), mode="bilinear")), known)
    assert right.low < 0
    assert wrong.value > right.high
