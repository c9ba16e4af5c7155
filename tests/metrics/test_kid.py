import pytest
import torch

from zerosum.metrics.interval import Interval
from zerosum.metrics.kid import kid, kid_difference


def normal(n: int, d: int = 12, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


def naive(x: torch.Tensor, y: torch.Tensor) -> float:
    """Binkowski et al. 2018, equation 4, pair by pair."""

    def k(a: torch.Tensor, b: torch.Tensor) -> float:
        return (torch.dot(a, b).item() / len(a) + 1) ** 3

    x, y = x.double(), y.double()
    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j)
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j)
    xy = sum(k(a, b) for a in x for b in y)
    return xx / (m * (m - 1)) + yy / (n * (n - 1)) - 2 * xy / (m * n)


@pytest.mark.parametrize(("m", "n"), [(40, 40), (33, 61)])
def test_it_equals_a_double_loop(m: int, n: int) -> None:
    x, y = normal(m, 7), normal(n, 7, shift=0.4, seed=1)
    assert kid(x, y).value == pytest.approx(naive(x, y), rel=1e-9)


def test_blocks_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(130), normal(97, shift=0.2, seed=1)
    whole = kid(x, y)
    monkeypatch.setattr("zerosum.metrics.kid.ROWS", 3)
    monkeypatch.setattr("zerosum.metrics.kid.COLUMNS", 11)
    assert vars(kid(x, y)) == pytest.approx(vars(whole), rel=1e-9)


def test_the_jackknife_is_that_of_kids_without_a_group() -> None:
    x, y = normal(60), normal(80, shift=0.3, seed=1)
    left = []
    for g in range(20):
        without_x = torch.cat([x[: 3 * g], x[3 * g + 3 :]])
        without_y = torch.cat([y[: 4 * g], y[4 * g + 4 :]])
        left.append(kid(without_x, without_y).value)
    values = torch.tensor(left, dtype=torch.float64)
    margin = 2.093 * (19 / 20 * (values - values.mean()).square().sum()).sqrt().item()
    found = kid(x, y)
    assert found.high - found.value == pytest.approx(margin, rel=1e-6)
    assert found.value - found.low == pytest.approx(margin, rel=1e-6)


def test_it_is_symmetric_and_unbiased() -> None:
    found = [kid(normal(60, seed=2 * s), normal(60, seed=2 * s + 1)) for s in range(60)]
    values = torch.tensor([f.value for f in found])
    assert abs(values.mean().item()) < 3 * values.std().item() / 60**0.5
    x, y = normal(60), normal(70, shift=0.2, seed=1)
    assert kid(x, y).value == pytest.approx(kid(y, x).value)


def expected(a: float, b: float, d: int) -> float:
    """E (x.y / d + 1)^3 for x of N(a, I) and y of N(b, I) in d dimensions: given x, x.y / d + 1 is normal."""
    mean, variance = 1 + a * b, b * b / d  # of the conditional mean
    length = d * (1 + a * a)  # E |x|^2, and E |x|^2 sum(x)
    length_sum = d * (a**3 + 3 * a) + d * (d - 1) * a * (1 + a * a)
    return mean**3 + 3 * mean * variance + 3 / d**2 * (length + b / d * length_sum)


def test_its_mean_is_the_closed_form() -> None:
    d, shift, trials = 12, 0.7, 150
    truth = expected(0, 0, d) + expected(shift, shift, d) - 2 * expected(0, shift, d)
    found = [kid(normal(100, d, seed=2 * s), normal(100, d, shift, seed=2 * s + 1)) for s in range(trials)]
    assert sum(f.value for f in found) / trials == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize(("x", "y"), [((24, 3), (30, 3)), ((30, 3), (30, 4)), ((30,), (30, 3))])
def test_what_it_cannot_compare_it_refuses(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        kid(torch.zeros(x), torch.zeros(y))


def test_it_gives_plain_floats() -> None:
    found = kid(normal(30), normal(30, seed=1))
    assert isinstance(found, Interval)
    assert all(type(value) is float for value in vars(found).values())


def test_intervals_hold_the_truth_in_95_of_100_draws() -> None:
    """Away from 0, of KIDs and of their difference on shared noise."""
    d, near, far, trials = 12, 0.7, 1.0, 1000
    truth = {s: expected(0, 0, d) + expected(s, s, d) - 2 * expected(0, s, d) for s in (near, far)}
    single = paired = 0
    for s in range(trials):
        noise, y = normal(60, d, seed=2 * s), normal(60, d, seed=2 * s + 1)
        found, difference = kid(noise + near, y), kid_difference(noise + near, noise + far, y)
        single += found.low <= truth[near] <= found.high
        paired += difference.low <= truth[near] - truth[far] <= difference.high
    assert 0.93 <= single / trials <= 0.97
    assert 0.93 <= paired / trials <= 0.97


def test_a_difference_is_that_of_the_kids_and_surer_when_paired() -> None:
    x, y = normal(100), normal(90, seed=1)
    found = kid_difference(x + 0.5, x + 0.6, y)
    assert found.value == pytest.approx(kid(x + 0.5, y).value - kid(x + 0.6, y).value)
    assert found.high < 0, "the same noise shows the step"
    apart = kid_difference(x + 0.5, normal(100, seed=2) + 0.6, y)
    assert apart.high - apart.low > 2 * (found.high - found.low)
    nothing = kid_difference(x, x, y)
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)
    turned = kid_difference(x + 0.6, x + 0.5, y)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_a_difference_wants_two_of_one_size() -> None:
    with pytest.raises(ValueError, match="of one shape"):
        kid_difference(normal(30), normal(31), normal(30))
