"""The map of codes: where things lie, and that no picture lies over another."""

from __future__ import annotations

import numpy as np
import pytest

from zerosum.report.codemap import FRAME, PICTURE, SIDE, _ground, draw, plane


def test_the_plane_of_codes() -> None:
    random = np.random.default_rng(0)
    two = random.normal(size=(50, 2))
    assert plane(two)[0] == pytest.approx(two)
    assert plane(two[:, :1])[0] == pytest.approx(np.stack([two[:, 0], np.zeros(50)], 1))
    wide = two @ random.normal(size=(2, 6)) + 5  # of six numbers, two decide
    places, axes_are = plane(wide)
    assert "principal components" in axes_are
    apart = np.linalg.norm(wide[:, None] - wide, axis=2)
    assert np.linalg.norm(places[:, None] - places, axis=2) == pytest.approx(apart)
    assert places.var(0)[0] > places.var(0)[1]


def test_pictures_lie_where_there_is_room() -> None:
    red, blue = np.zeros((2, 20, 20, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    at = np.array([[300, 200], [310, 205], [700, 800]])
    ground = _ground(at, np.stack([red, blue, blue]), [(0, 255, 0)] * 3)
    assert ground[SIDE - 200, 300].tolist() == [255, 0, 0, 255]
    assert ground[SIDE - 800, 700].tolist() == [0, 0, 255, 255]
    side = min(PICTURE, 20) + 2 * FRAME
    assert (ground[..., 3] > 0).sum() == 2 * side**2, "the second found no room"


@pytest.mark.parametrize("num_classes", [0, 3, 30])
def test_colours_are_for_few_classes(num_classes: int) -> None:
    places = np.random.default_rng(0).normal(size=(40, 2))
    classes = [f"c{i % num_classes}" for i in range(40)] if num_classes else None
    axes = draw(places, "two numbers", classes, "kind").axes[0]
    legend = axes.get_legend()
    assert (legend is not None) == (num_classes == 3)
    if legend is not None:
        assert [text.get_text() for text in legend.get_texts()] == ["c0", "c1", "c2"]


def test_codes_that_are_all_alike_can_be_drawn() -> None:
    left, right = draw(np.ones((5, 2)), "two numbers").axes[0].get_xlim()
    assert left < 1 < right
