import numpy as np
import pytest
import torch

from tests.metrics.made_up import Made, scenes
from zerosum.core.batch import Tokens
from zerosum.core.errors import Refusal
from zerosum.metrics import pca_gaussian


def mild(n: int, side: int = 6) -> Made:
    """Gaussian pictures of few directions, far from black and white, so that nothing is clipped."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((5, side * side * 3)) * np.array([[9], [7], [5], [4], [3]])
    pixels = 128 + rng.standard_normal((n, 5)) @ directions
    return Made(pixels.round().clip(0, 255).astype(np.uint8).reshape(n, side, side, 3))


def test_it_finds_numpys_principal_components() -> None:
    source = Made(scenes(700, side=12))
    fitted = pca_gaussian.fit(source, components=20)
    x = source.batch(np.arange(700)).x.flatten(1).double().numpy()
    _, singular, axes = np.linalg.svd(x - x.mean(0), full_matrices=False)
    np.testing.assert_allclose(fitted.mean, x.mean(0), atol=1e-5)
    np.testing.assert_allclose(fitted.deviations, singular[:20] / np.sqrt(699), rtol=5e-3)  # randomised
    assert np.abs(fitted.axes[:, :8].numpy().T @ axes[:8].T) == pytest.approx(np.eye(8), abs=0.02)
    assert fitted.axes.T @ fitted.axes == pytest.approx(torch.eye(20), abs=1e-4)


def test_samples_have_the_pictures_mean_and_covariance() -> None:
    source = mild(3000)
    fitted = pca_gaussian.fit(source, components=108)
    x = source.batch(np.arange(3000)).x.flatten(1)
    samples = fitted.unclipped(40_000, seed=1).flatten(1)
    torch.testing.assert_close(samples.mean(0), x.mean(0), atol=0.005, rtol=0)
    wanted = x.T.cov()
    assert (samples.T.cov() - wanted).norm() < 0.03 * wanted.norm()


def test_samples_are_seeded_pictures_of_the_source() -> None:
    fitted = pca_gaussian.fit(Made(scenes(100)))
    assert len(fitted.deviations) == 99
    ten = fitted.images(10, seed=3)
    assert ten.shape == (10, 3, 32, 32)
    assert ten.abs().max() <= 1
    torch.testing.assert_close(ten[:4], fitted.images(4, seed=3))
    assert not torch.equal(ten, fitted.images(10, seed=4))


def test_it_reads_no_more_pictures_than_asked() -> None:
    assert pca_gaussian.fit(Made(scenes(90, side=8)), pictures=60).pictures == 60


def test_large_pictures_are_read_in_smaller_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pca_gaussian, "VALUES", 8 * 8 * 3 * 1100)
    assert pca_gaussian.fit(Made(scenes(1200, side=8)), components=4).pictures == 1100
    assert pca_gaussian.fit(Made(scenes(1200, side=16)), components=4).pictures == 1024


def test_it_refuses_what_has_no_covariance() -> None:
    with pytest.raises(Refusal, match="at least 2"):
        pca_gaussian.fit(Made(scenes(1)))
    tokens = Made(scenes(5))
    tokens.holds = Tokens
    with pytest.raises(Refusal, match="sequences"):
        pca_gaussian.fit(tokens)
