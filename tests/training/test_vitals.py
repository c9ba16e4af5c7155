"""The numbers of a run's health, on generators made to show each of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.conftest import Blobs, Rows
from zerosum.core.batch import Attribute, DataShape, Images
from zerosum.core.generator import Generator, Header, LatentGenerator
from zerosum.training.vitals import Vitals, watched

SHAPE = DataShape(32, 32, 3)


class Shows(nn.Module):
    """Shows pictures of a source in place of making any, whatever the latents."""

    def __init__(self, pictures: Tensor):
        super().__init__()
        self.pictures = nn.Parameter(pictures)
        self.at = 0

    def forward(self, z: Tensor) -> Tensor:
        first, self.at = self.at, self.at + len(z)
        return self.pictures[torch.arange(first, first + len(z)) % len(self.pictures)]


class Knows(nn.Module):
    """A judge that says how bright a picture is."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))


@pytest.fixture(scope="module")
def source() -> Blobs:
    return Blobs(600)


@pytest.fixture(scope="module")
def unseen() -> Tensor:
    return Blobs(200, seed=5).batch(np.arange(200)).x


def look(source: Blobs, pictures: Tensor, judge: nn.Module | None = None) -> dict:
    generator = LatentGenerator(Header("shows", {}, SHAPE), Shows(pictures), 4, judge)
    return Vitals(source, seed=0).measure(generator.eval())


def test_real_pictures_look_healthy(source: Blobs, unseen: Tensor) -> None:
    found = look(source, unseen)
    assert found["spread"] == pytest.approx(1, abs=0.15)
    assert found["coverage"] > 0.8
    assert found["twins"] < 0.1
    assert found["relatives"] == pytest.approx(1, abs=0.2)
    assert "channels" not in found, "blobs come in all colours alike: no order can be told from another"


def test_one_picture_has_no_spread_and_many_twins(source: Blobs, unseen: Tensor) -> None:
    found = look(source, unseen[:1])
    assert found["spread"] == pytest.approx(0, abs=1e-3)
    assert found["twins"] == 1
    assert found["coverage"] < 0.2


def test_copies_are_near_relatives(source: Blobs) -> None:
    assert look(source, source.batch(np.arange(200)).x)["relatives"] < 0.05


def test_swapped_channels_fit_better_in_another_order() -> None:
    tinted = Blobs(600)
    tinted.pixels[..., 2] //= 4
    others = tinted.batch(np.arange(300, 500)).x
    assert look(tinted, others)["channels"] == pytest.approx(-1, abs=0.3)
    assert look(tinted, others.flip(1))["channels"] == pytest.approx(1, abs=0.3)


def test_checkerboards_show(source: Blobs, unseen: Tensor) -> None:
    checkers = torch.ones(32, 32)
    checkers[:, 1::2] = -1
    plain, marked = (look(source, x)["checkers"] for x in (unseen, (unseen + 0.05 * checkers).clamp(-1, 1)))
    assert marked > 5 * plain


def test_the_judge_is_measured_by_pairs(source: Blobs, unseen: Tensor) -> None:
    darker = look(source, (unseen - 0.5).clamp(-1, 1), Knows())
    same = look(source, unseen, Knows())
    assert darker["judge"] > 0.95
    assert same["judge"] == pytest.approx(0.5, abs=0.1)
    assert same["judge_unseen"] == pytest.approx(0.5, abs=0.1)


def test_what_is_not_finite_is_said_and_nothing_else(source: Blobs) -> None:
    assert look(source, torch.full((3, 3, 32, 32), torch.nan)) == {"finite": 0.0}


class Labelled(Blobs):
    """Blobs on the left are of class 0, on the right of class 1."""

    def __init__(self, count: int = 600, seed: int = 0):
        super().__init__(count, seed=seed)
        self.shape = DataShape(32, 32, 3, (Attribute("side", ("left", "right")),))
        light = self.pixels.astype(float).sum((1, 3))
        self.codes = (light[:, 16:].sum(1) > light[:, :16].sum(1)).astype(np.int64)

    def batch(self, indices: np.ndarray) -> Images:
        return Images(super().batch(indices).x, torch.from_numpy(self.codes[indices])[:, None])


def test_a_class_that_is_not_made_has_no_share() -> None:
    source, other = Labelled(), Labelled(seed=5)
    left = other.batch(np.flatnonzero(other.codes == 0)).x
    found = look(source, left)
    assert found["classes"][1] < 0.15
    assert found["classes"][0] > 1.5
    assert 60 < found["told"] <= 128


def test_data_with_twins_says_how_many() -> None:
    source = Blobs(300)
    assert Vitals(source, 0).data()["duplicates"] < 0.05
    source.pixels[100:200] = source.pixels[:100]
    assert Vitals(source, 0).data()["duplicates"] == pytest.approx(2 / 3, abs=0.05)


def test_motion_tells_back_and_forth_from_onward(source: Blobs, unseen: Tensor) -> None:
    vitals = Vitals(source, 0)
    dark, light = unseen - 0.4, unseen + 0.4
    back = [
        vitals.measure(LatentGenerator(Header("shows", {}, SHAPE), Shows(x), 4).eval()) for x in (dark, light, dark)
    ]
    assert back[-1]["onward"] == pytest.approx(-1, abs=1e-3)
    assert back[-1]["moved"] > 0.3


def test_a_table_is_looked_at_by_its_rows() -> None:
    rows = Rows(400)
    vitals, made = Vitals(rows, 0), torch.from_numpy(rows.rows[:128])
    assert vitals.data()["duplicates"] == 0
    assert "low" not in vitals.data()
    alive, dead = (
        vitals.measure(LatentGenerator(Header("shows", {}, rows.shape), Shows(x), 4).eval()) for x in (made, made[:1])
    )
    assert alive["spread"] == pytest.approx(1, abs=0.1)
    assert dead["spread"] == 0
    assert dead["twins"] == 1


def test_what_draws_from_no_noise_is_not_watched(source: Blobs) -> None:
    header = Header("shows", {}, SHAPE)
    assert watched(Generator(header), source, 0) is None
    assert watched(LatentGenerator(header, Shows(torch.zeros(1)), 4), Rows(), 0).num == 128
