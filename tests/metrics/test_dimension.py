"""The intrinsic dimension on sets whose dimension is known, and the latent that follows from it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zerosum.metrics import dimension as module
from zerosum.metrics.coverage import Thumbnails
from zerosum.metrics.dimension import FEWEST, MOST, PICTURES, dimension, latent, maximum_likelihood, to_neighbours


def cube(n: int, size: int, seed: int = 0) -> torch.Tensor:
    """n points of a cube of `size` dimensions that lies somewhere in 192."""
    rng = np.random.default_rng((seed, size))
    return torch.from_numpy((rng.random((n, size)) @ np.linalg.qr(rng.normal(size=(192, size)))[0].T).astype("f4"))


def discs(n: int, num: int, side: int = 64) -> torch.Tensor:
    """Pictures [n, 1, side, side] of `num` discs, each anywhere in its own quarter, so of 2 `num` properties."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((side, side))
    pictures = np.full((n, side, side), -1, np.float32)
    for quarter in range(num):
        y, x = (rng.uniform(0.3, 0.7, (2, n, 1, 1)) + np.array(divmod(quarter, 2))[:, None, None, None]) * side / 2
        pictures += 2 * (side / 8 - np.hypot(rows - y, columns - x)).clip(0, 1)  # the edge is a pixel wide
    return torch.from_numpy(pictures[:, None].astype(np.float32))


def properties(x: torch.Tensor) -> float:
    found = dimension(x)
    assert found is not None
    return found.properties


def test_the_estimate_in_numbers() -> None:
    distances = torch.tensor([[1.0, 2.0, 4.0], [1.0, 1.0, math.e]])
    # the mean of log(T_k / T_j): of 2 log 2 and log 2; of 1 and 1
    assert maximum_likelihood(distances) == pytest.approx(1 / ((3 * math.log(2) + 2) / 4))


def test_distances_to_neighbours_equal_brute_force() -> None:
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.cdist(x.double(), x.double()).sort(1).values[:, 1:6]
    assert torch.allclose(to_neighbours(x, k=5), expected)


@pytest.mark.parametrize("size", [1, 3, 7, 14, 28])
def test_a_cube_has_its_dimension(size: int) -> None:
    assert properties(cube(600, size, seed=1)) == pytest.approx(size, rel=0.15)


def test_it_does_not_hang_on_the_number_of_pictures() -> None:
    assert properties(cube(550, 6)) == pytest.approx(properties(cube(PICTURES, 6)), rel=0.15)


@pytest.mark.parametrize("num", [2, 3])
def test_an_edge_that_moves_counts_once_in_thumbnails_and_twice_in_full_pictures(num: int) -> None:
    pictures = discs(700, num)
    assert properties(Thumbnails().features(pictures)) == pytest.approx(2 * num, rel=0.2)
    assert properties(pictures.flatten(1)) > 1.4 * 2 * num


def test_of_noise_more_is_said_than_can_be_told() -> None:
    noise = torch.rand(600, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = dimension(Thumbnails().features(noise))
    assert found is not None
    assert (found.properties, found.is_open) == (MOST, True)


def test_copies_count_once() -> None:
    x = cube(600, 4)
    once, thrice = dimension(x), dimension(x.repeat(3, 1))
    assert once is not None
    assert thrice is not None
    assert (thrice.pictures, thrice.properties) == (600, pytest.approx(once.properties, rel=1e-6))


def test_of_few_different_pictures_nothing_is_said() -> None:
    assert dimension(cube(FEWEST - 1, 3)) is None
    assert dimension(cube(FEWEST - 1, 3).repeat(2, 1)) is None
    assert dimension(torch.zeros(1000, 192)) is None
    assert dimension(cube(FEWEST, 3)) is not None


def test_only_so_many_are_looked_at_and_the_seed_says_which() -> None:
    x = cube(2 * PICTURES, 5)
    found = [dimension(x, seed) for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2]
    assert found[0] is not None
    assert found[0].pictures == PICTURES


def test_the_run_s_random_numbers_are_left_alone() -> None:
    module._calibration.cache_clear()
    before = torch.get_rng_state()
    dimension(cube(FEWEST, 3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("properties", "length"), [(1, 16), (7.5, 16), (7.6, 32), (11, 32), (MOST, 128)])
def test_a_latent_of_twice_to_four_times_as_many_numbers_and_16_at_the_least(properties: float, length: int) -> None:
    assert latent(properties) == length
