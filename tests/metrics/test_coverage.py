import pytest
import torch

from zerosum.metrics import neighbours
from zerosum.metrics.coverage import Thumbnails, ceiling, coverage


def normal(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def brute(fake: torch.Tensor, real: torch.Tensor, k: int) -> float:
    """Naeem et al. 2020, equation 9, by sorting all distances."""
    covered = 0
    for i, point in enumerate(real.double()):
        others = sorted((other - point).norm().item() for j, other in enumerate(real.double()) if j != i)
        covered += min((other - point).norm().item() for other in fake.double()) <= others[k - 1]
    return covered / len(real)


@pytest.mark.parametrize("k", [1, 5])
def test_it_equals_brute_force(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 17)
    real, fake = normal(80), normal(80, seed=1) * 0.7 + 0.3
    assert coverage(fake, real, k) == brute(fake, real, k)


def test_equal_pictures_are_covered_even_where_all_are_one() -> None:
    real = normal(60) + 1000
    assert coverage(real.clone(), real) == 1
    same = torch.full((60, 4), 0.1)
    assert coverage(same, same) == 1


@pytest.mark.parametrize("d", [2, 16])
def test_one_distribution_reaches_the_ceiling(d: int) -> None:
    found = [coverage(normal(400, d, seed=2 * s), normal(400, d, seed=2 * s + 1)) for s in range(40)]
    assert sum(found) / len(found) == pytest.approx(ceiling(400), abs=0.004)


def test_the_ceiling_in_numbers() -> None:
    assert ceiling(6, k=1) == pytest.approx(1 - 5 / 11)
    assert ceiling(10**9) == pytest.approx(1 - 2**-5)


def test_a_dropped_mode_and_a_collapse_show() -> None:
    real = torch.cat([normal(100), normal(100, seed=1) + 20])
    half = torch.cat([normal(100, seed=2), normal(100, seed=3)])
    assert coverage(half, real) == pytest.approx(0.5, abs=0.02)
    assert coverage(half[:1].expand(200, -1), real) < 0.1


@pytest.mark.parametrize(("fake", "real"), [((10, 3), (11, 3)), ((5, 3), (5, 3)), ((10, 3), (10, 4))])
def test_unequal_or_too_few_are_refused(fake: tuple[int, int], real: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="wanted equal"):
        coverage(torch.zeros(fake), torch.zeros(real))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(4, 5), (64, 48)])
def test_thumbnails_of_any_picture(channels: int, size: tuple[int, int]) -> None:
    seen = Thumbnails().features(torch.ones(2, channels, *size))
    assert seen.shape == (2, 192)
    assert seen.eq(1).all()
