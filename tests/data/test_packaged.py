"""Data from packages, the real ones: counts, classes, grey and colour, and that pictures and labels belong together."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zerosum.core.batch import Attribute, DataShape
from zerosum.core.packages import ARTEFACTS, fetch
from zerosum.data import dsprites as dsprites_
from zerosum.data import packaged as packaged_
from zerosum.data.catalog import DATA, open_data
from zerosum.data.cifar10 import THINGS, cifar10
from zerosum.data.dsprites import FACTORS, dsprites
from zerosum.data.mnist import GARMENTS, fashion_mnist, mnist
from zerosum.data.packaged import write
from zerosum.data.pictures import Pictures, workshop
from zerosum.data.quickdraw import quickdraw

# how many of each digit the 60,000 are said to hold
DIGITS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def by_nearest_mean(pictures: Pictures, every: int = 5) -> float:
    """How many of the held-out pictures are nearest to the mean of their own class."""
    heldout = pictures.heldout()
    assert heldout is not None
    rows = np.arange(0, len(pictures), every)
    x, y = pictures.pixels(rows).reshape(len(rows), -1).astype(np.float32), pictures.labels(rows)[:, 0]
    means = np.stack([x[y == c].mean(0) for c in range(y.max() + 1)])
    rows = np.arange(len(heldout))
    x, y = heldout.pixels(rows).reshape(len(rows), -1).astype(np.float32), heldout.labels(rows)[:, 0]
    return float(((means**2).sum(1) - 2 * x @ means.T).argmin(1).__eq__(y).mean())


def level(pictures: Pictures) -> np.ndarray:
    """Mean level of each channel of what is trained on, in [0, 1]."""
    return pictures.pixels(np.arange(len(pictures))).mean((0, 1, 2)) / 255


def counts(pictures: Pictures) -> list[int]:
    return np.bincount(pictures.labels(np.arange(len(pictures)))[:, 0]).tolist()


def test_mnist():
    pictures = mnist(progress=False)
    assert pictures.shape == DataShape(28, 28, 1, (Attribute("digit", tuple("0123456789")),))
    assert (len(pictures), len(pictures.heldout())) == (60_000, 10_000)
    assert counts(pictures) == DIGITS
    assert level(pictures) == pytest.approx(0.1307, abs=1e-4)  # the mean that everybody normalises by
    assert 0.80 < by_nearest_mean(pictures) < 0.84
    assert mnist(progress=False).fingerprint == pictures.fingerprint
    assert open_data("mnist", 28, progress=False).fingerprint == pictures.fingerprint


def test_fashion_mnist():
    pictures = fashion_mnist(progress=False)
    assert pictures.shape == DataShape(28, 28, 1, (Attribute("garment", GARMENTS),))
    assert (len(pictures), len(pictures.heldout())) == (60_000, 10_000)
    assert counts(pictures) == [6000] * 10
    assert counts(pictures.heldout()) == [1000] * 10
    assert level(pictures) == pytest.approx(0.2860, abs=1e-4)
    assert 0.66 < by_nearest_mean(pictures) < 0.70
    ink = [pictures.pixels(np.flatnonzero(pictures.labels(np.arange(2000))[:, 0] == c)).mean() for c in range(10)]
    assert GARMENTS[int(np.argmin(ink))] == "sandal"  # mostly straps


def test_cifar10():
    pictures = cifar10(progress=False)
    assert pictures.shape == DataShape(32, 32, 3, (Attribute("thing", THINGS),))
    assert (len(pictures), len(pictures.heldout())) == (50_000, 10_000)
    assert counts(pictures) == [5000] * 10
    assert level(pictures) == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)
    assert 0.25 < by_nearest_mean(pictures) < 0.30


def test_quickdraw():
    pictures = quickdraw(progress=False)
    heldout = pictures.heldout()
    assert len(pictures) + len(heldout) == 34_500
    assert 3000 < len(heldout) < 3900
    words = pictures.shape.attributes[0].classes
    assert len(words) == 345
    assert {"cat", "The Mona Lisa", "zigzag"} <= set(words)
    assert np.array(counts(pictures)) + np.bincount(
        heldout.labels(np.arange(len(heldout)))[:, 0], minlength=345
    ) == pytest.approx(100)
    assert by_nearest_mean(pictures, 1) > 20 / 345
    assert quickdraw(progress=False).fingerprint == pictures.fingerprint


@pytest.fixture(scope="module")
def sprites(cache):
    """The package's own codes, and the first 8,192 of its drawings."""
    file = fetch("dsprites")
    blocks = dsprites_._blocks(file)
    return dsprites_._codes(file), np.concatenate([next(blocks)[1] for _ in range(2)])


def test_every_combination_of_dsprites_is_there_once(sprites):
    codes, drawings = sprites
    assert codes.shape == (737_280, 5)
    sizes = [len(factor.classes) for factor in FACTORS]
    assert np.array_equal(np.ravel_multi_index(tuple(codes.T), sizes), np.arange(737_280))
    assert set(np.unique(drawings)) == {0, 255}


def test_a_sprite_lies_where_its_labels_say(sprites):
    codes, drawings = sprites
    ink = drawings[:, :, :, 0] / 255.0
    mass = ink.sum((1, 2))
    across = (ink.sum(1) @ np.arange(64)) / mass
    down = (ink.sum(2) @ np.arange(64)) / mass
    for centre, column in ((across, 3), (down, 4)):
        assert np.corrcoef(centre, codes[: len(ink), column])[0, 1] > 0.999
    assert mass.std() < 0.1 * mass.mean()  # all of one shape and scale, only turned


def test_dsprites_are_made_in_blocks_and_equal_ones_kept_together(sprites, tmp_path, monkeypatch):
    codes, drawings = sprites
    file = tmp_path / "few.npz"
    whole = np.concatenate([np.zeros((len(codes[: len(drawings)]), 1), np.int64), codes[: len(drawings)]], 1)
    metadata = np.array({"never": "read"}, object)
    np.savez_compressed(file, metadata=metadata, imgs=drawings[..., 0] // 255, latents_classes=whole)
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packaged_, "fetch", lambda name, progress: file)
    pictures = dsprites(progress=False)
    heldout = pictures.heldout()
    assert len(pictures) + len(heldout) == len(drawings)
    assert pictures.shape == DataShape(64, 64, 1, FACTORS)
    rows = np.random.default_rng(0).choice(len(pictures), 200, replace=False)
    where = np.ravel_multi_index(tuple(pictures.labels(rows).T), [len(factor.classes) for factor in FACTORS])
    assert np.array_equal(pictures.pixels(rows), drawings[where])
    kept = {picture.tobytes() for picture in heldout.pixels(np.arange(len(heldout)))}
    assert not any(picture.tobytes() in kept for picture in pictures.pixels(np.arange(len(pictures))))
    assert dsprites(32, progress=False).pixels(np.arange(2)).shape == (2, 32, 32, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_another_size_is_cropped_about_the_middle_and_reduced(cache, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 40, channels), np.uint8)
    told = []
    with workshop(5, DataShape(10, 20, channels)) as making:
        write(making, 1, pixels, told.append)
        made = np.array(making.pixels)
    for i in range(3):
        middle = Image.fromarray(pixels[i, 10:30].squeeze()).resize((20, 10), Image.Resampling.LANCZOS)
        assert np.array_equal(made[1 + i, 3:7].squeeze(), np.asarray(middle)[3:7])  # at its edges the filter sees more
    assert not made[0].any()
    assert not made[4].any()
    assert sum(told) == 3


def test_the_catalogue_follows_from_the_table():
    packages = {name for name, artefact in ARTEFACTS.items() if artefact.kind == "data"}
    assert set(DATA) == {"avatars"} | packages
    for name in packages:
        assert DATA[name].summary == ARTEFACTS[name].what
    assert DATA["avatars"].fetched
