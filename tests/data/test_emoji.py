"""Noto emoji, the real ones: counts, categories, names, white ground, skin tones held out together."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.data.catalog import open_data
from zerosum.data.emoji import CATEGORIES, captions, emoji
from zerosum.data.pictures import Pictures


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return emoji(progress=False)


def all_of(pictures: Pictures) -> np.ndarray:
    return np.arange(len(pictures))


def test_counts_and_categories(pictures):
    heldout = pictures.heldout()
    assert len(pictures) + len(heldout) == 3786
    assert 250 < len(heldout) < 520
    codes = np.concatenate([part.labels(all_of(part))[:, 0] for part in (pictures, heldout)])
    counts = dict(zip(CATEGORIES, np.bincount(codes).tolist(), strict=True))
    assert (counts["Flags"], counts["Food & Drink"], counts["Smileys & Emotion"]) == (270, 131, 169)
    assert open_data("emoji", 64, progress=False).fingerprint == pictures.fingerprint


def test_names_belong_to_their_pictures(pictures):
    names = captions(pictures)
    assert len(names) == len(pictures)
    for name, (red, green, blue) in {
        "green heart": (0, 1, 0),
        "blue heart": (0, 0, 1),
        "heavy black heart": (1, 0, 0),
    }.items():
        part = pictures if name in names else pictures.heldout()
        row = captions(part).index(name)
        middle = part.pixels(np.array([row]))[0, 24:40, 24:40].mean((0, 1))
        assert middle.argmax() == (red, green, blue).index(1), (name, middle)
    assert captions(pictures.subset(np.array([7, 3]))) == [names[7], names[3]]
    assert "father christmas, medium-dark skin tone" in [*names, *captions(pictures.heldout())]


def test_on_white(pictures):
    corners = pictures.pixels(all_of(pictures))[:, 0, 0].astype(int)
    assert (corners.min(1) > 250).mean() > 0.9  # all but squares and the like


def test_skin_tones_are_held_out_together(pictures):
    known = {name.partition(",")[0] for name in captions(pictures)}
    unseen = {name.partition(",")[0] for name in captions(pictures.heldout()) if "skin tone" in name}
    assert len(unseen) > 10
    assert not known & unseen
