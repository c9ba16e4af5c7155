"""OpenMoji, the real ones: counts, lines without colour, colours within the lines, names."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.core.batch import Pairs
from zerosum.data.catalog import open_data
from zerosum.data.drawing import draw
from zerosum.data.openmoji import captions, openmoji
from zerosum.data.pairs import PairedPictures

SIDE = 32


@pytest.fixture(scope="module")
def pairs() -> PairedPictures:
    return openmoji(SIDE, progress=False)


def colourfulness(pixels: np.ndarray) -> np.ndarray:
    """The mean difference of the strongest and the weakest colour of each picture, in [0, 1]."""
    return np.ptp(pixels.astype(np.float32), axis=3).mean((1, 2)) / 255


def test_counts(pairs):
    heldout = pairs.heldout()
    assert len(pairs) + len(heldout) == 4495
    assert 300 < len(heldout) < 600
    assert pairs.holds is Pairs
    assert pairs.batch(np.arange(3)).y.shape == (3, 3, SIDE, SIDE)
    assert open_data("openmoji", SIDE, progress=False).fingerprint == pairs.fingerprint


def test_lines_have_no_colour_and_colours_do(pairs):
    rows = np.arange(len(pairs))
    lines, colours = pairs.x.pixels(rows), pairs.y.pixels(rows)
    assert colourfulness(lines).max() < 0.001
    assert (colourfulness(colours) > 0.01).mean() > 0.8  # the others are signs in black and white


def test_one_silhouette(pairs):
    """Where there is ink in the lines, there is some in the colours; a stranger's lines do not fit."""
    rows = np.arange(0, len(pairs), 5)
    lines, colours = (part.pixels(rows).min(3) for part in (pairs.x, pairs.y))
    ink, filled = lines < 160, colours < 250
    own = (ink & filled).sum((1, 2)) / np.maximum(1, ink.sum((1, 2)))
    others = (ink & np.roll(filled, len(rows) // 2, 0)).sum((1, 2)) / np.maximum(1, ink.sum((1, 2)))
    assert (own > 0.9).mean() > 0.9  # the others are white on a coloured ground
    assert (others > 0.9).mean() < 0.1


def test_names_belong_to_their_pairs(pairs):
    everything = {}
    for part in (pairs, pairs.heldout()):
        names = captions(part)
        assert len(names) == len(part)
        everything |= {name: part.y.pixels(np.array([row]))[0] for row, name in enumerate(names)}
    for name, colour in {"red apple": 0, "green heart": 1, "blue heart": 2}.items():
        middle = everything[name][12:22, 12:22].mean((0, 1))
        assert middle.argmax() == colour, (name, middle)


def test_lines_of_a_held_out_pair_are_not_known_in_another_skin(pairs):
    known = {name.partition(":")[0] for name in captions(pairs) if "skin tone" in name}
    unseen = {name.partition(":")[0] for name in captions(pairs.heldout()) if name.endswith("skin tone")}
    assert len(unseen) > 10
    assert len(known & unseen) <= 0.1 * len(unseen)


def test_a_drawing_is_cut_to_shape():
    svg = '<svg viewBox="0 0 8 8" xmlns="http://www.w3.org/2000/svg"><rect width="8" height="4" fill="#f00"/></svg>'
    whole = draw(svg, 16, 16)
    assert whole[4, 8].tolist() == [255, 0, 0]
    assert whole[12, 8].tolist() == [255, 255, 255]
    assert (draw(svg, 8, 16) == whole[4:12]).all()
