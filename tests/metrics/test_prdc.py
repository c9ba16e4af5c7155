import pytest
import torch

from zerosum.metrics import neighbours
from zerosum.metrics.coverage import ceiling, coverage
from zerosum.metrics.prdc import Prdc, halves, prdc


def normal(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def brute(fake: torch.Tensor, real: torch.Tensor, k: int) -> Prdc:
    """The definitions, point by point, in plain Python."""

    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        return (a - b).norm().item()

    def edge(points: torch.Tensor, i: int) -> float:
        return sorted(distance(points[i], other) for j, other in enumerate(points) if j != i)[k - 1]

    fake, real = fake.double(), real.double()
    n = len(real)
    real_edges, fake_edges = ([edge(points, i) for i in range(n)] for points in (real, fake))
    inside = [[distance(r, f) <= real_edges[i] for f in fake] for i, r in enumerate(real)]
    held = [sum(inside[i][j] for i in range(n)) for j in range(n)]
    recalled = [any(distance(r, f) <= fake_edges[j] for j, f in enumerate(fake)) for r in real]
    return Prdc(sum(h > 0 for h in held) / n, sum(recalled) / n, sum(held) / (k * n), sum(map(any, inside)) / n)


@pytest.mark.parametrize("k", [1, 5])
def test_it_equals_brute_force(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ROWS", 17)
    real, fake = normal(60), normal(60, seed=1) * 0.7 + 0.3
    found = prdc(fake, real, k)
    assert vars(found) == pytest.approx(vars(brute(fake, real, k)), rel=1e-12)
    assert found.coverage == coverage(fake, real, k)


def test_equal_sets_reach_the_top_and_swapped_sets_swap() -> None:
    real, fake = normal(80), normal(80, seed=1) * 0.5
    same = prdc(real.clone(), real)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    assert prdc(fake, real).precision == prdc(real, fake).recall


def test_halves_of_one_distribution_reach_what_theory_says() -> None:
    found = [halves(normal(400, seed=s), 200) for s in range(30)]
    assert sum(f.density for f in found) / 30 == pytest.approx(1, abs=0.02)
    assert sum(f.coverage for f in found) / 30 == pytest.approx(ceiling(200), abs=0.01)


def test_dropped_modes_cost_recall_and_noise_costs_precision() -> None:
    centres = torch.arange(4)[:, None] * 30.0
    real = (normal(200).view(4, 50, 4) + centres[:, None]).flatten(0, 1)
    recalls, covered = [], []
    for modes in (4, 2, 1):
        fake = normal(200, seed=1).view(modes, -1, 4) + centres[:modes, None]
        found = prdc(fake.flatten(0, 1), real)
        recalls.append(found.recall)
        covered.append(found.coverage)
        assert found.precision > 0.9
    assert recalls == sorted(recalls, reverse=True)
    assert covered == sorted(covered, reverse=True)
    assert recalls[2] == pytest.approx(0.25, abs=0.05)
    shares = [prdc(real + noise * normal(200, seed=2), real).precision for noise in (0, 1, 3)]
    assert shares[0] > shares[1] > shares[2]


def test_unequal_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted equal"):
        prdc(normal(20), normal(21))
