import math

import numpy as np
import pytest
import torch

from zerosum.core.errors import Refusal
from zerosum.metrics.frechet import enough_for_frechet, frechet


def normal(n: int, d: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_moments(mean: np.ndarray, covariance: np.ndarray, n: int, seed: int) -> torch.Tensor:
    """Rows whose sample mean and covariance are exactly these."""
    x = normal(n, len(mean), seed).numpy()
    x = x - x.mean(0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return torch.from_numpy(white @ np.linalg.cholesky(covariance).T + mean)


def root(s: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(s)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def by_roots(x: np.ndarray, y: np.ndarray) -> float:
    """The formula with matrix roots, by eigenvalues."""
    sx, sy = np.cov(x.T), np.cov(y.T)
    half = root(sx)
    common = np.trace(root(half @ sy @ half))
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(sx) + np.trace(sy) - 2 * common)


@pytest.mark.parametrize(("m", "n", "d"), [(200, 150, 12), (90, 300, 40), (30, 25, 40)])
def test_it_equals_matrix_roots(m: int, n: int, d: int) -> None:
    mix = normal(d, d, seed=2)
    x, y = normal(m, d) @ mix, normal(n, d, seed=1) * 1.5 + 0.3
    assert frechet(x, y) == pytest.approx(by_roots(x.numpy(), y.numpy()), rel=1e-6)


def test_gaussians_in_closed_form() -> None:
    """Of commuting covariances: |a - b|^2 plus the squared differences of the deviations."""
    a, b = np.array([0.0, 1, 2]), np.array([1.0, 1, 0])
    x = with_moments(a, np.diag([1.0, 4, 9]), 60, seed=0)
    y = with_moments(b, np.diag([4.0, 1, 9]), 80, seed=1)
    assert frechet(x, y) == pytest.approx(5 + 1 + 1)
    turned = np.array([[2.0, 1], [1, 2]])  # eigenvalues 3 and 1; the other's are 12 and 4 on the same axes
    x, y = with_moments(a[:2], turned, 40, seed=2), with_moments(a[:2], 4 * turned, 40, seed=3)
    assert frechet(x, y) == pytest.approx((math.sqrt(12) - math.sqrt(3)) ** 2 + (2 - 1) ** 2)


def test_identity_symmetry_and_order() -> None:
    x, y = normal(100), normal(120, seed=1) + 0.5
    assert frechet(x, x) == pytest.approx(0, abs=1e-12)
    assert frechet(x.float(), x.flip(0).float()) == pytest.approx(0, abs=1e-6)
    assert frechet(x, y) == pytest.approx(frechet(y, x))
    assert 0 < frechet(x, y + 0.1) - frechet(x, y) < 1


def test_features_without_spread_have_no_root_and_still_a_distance() -> None:
    flat = torch.zeros(50, 6)
    assert frechet(flat, flat + 2) == pytest.approx(24)
    assert math.isfinite(frechet(flat, normal(50)))


@pytest.mark.parametrize(("x", "y"), [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5, 3))])
def test_what_it_cannot_compare_it_refuses(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        frechet(torch.zeros(x), torch.zeros(y))


def test_too_few_pictures_are_sent_to_kid() -> None:
    enough_for_frechet(2049, "photos")
    with pytest.raises(Refusal, match=r"photos: FID of 2,048 .* KID"):
        enough_for_frechet(2048, "photos")
