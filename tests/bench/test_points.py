"""Modes of point sets are counted as the papers count them."""

from __future__ import annotations

import numpy as np
import torch

from zerosum.bench import collapse
from zerosum.bench._points import grid, ring


def test_a_mode_is_reached_within_three_deviations() -> None:
    points = grid()  # deviation 0.05
    made = np.array([[0.0, 0.149], [0.0, 0.151], [2.0, 2.0], [2.1, 2.1], [1.0, 1.0]])
    modes, good = points.judged(made)
    assert modes == 2  # the third, at a distance of 0.141, is of the mode before it
    assert good == 3 / 5


def test_the_sets_are_what_they_say() -> None:
    assert len(grid().centres) == 25
    assert grid().judged(grid().centres) == (25, 1.0)
    assert np.allclose(np.linalg.norm(ring(3.0).centres - [3, 0], axis=1), 2)
    assert abs(ring().rows).max() < 2 + 6 * 0.1
    assert ring().judged(ring().rows[:2_000])[0] == 8


def test_digits_in_threes_are_a_thousand_modes() -> None:
    told = torch.tensor([0, 0, 0, 9, 9, 9, 0, 0, 0, 0, 9, 0])
    assert collapse.num_modes(told) == 3
