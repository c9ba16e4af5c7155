import pytest
import torch

from zerosum.metrics.kid import Kid, kid


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


def test_the_interval_holds_what_it_says_away_from_zero() -> None:
    """The true value is a closed form: E k(x, y) of a normal a.b / d + 1 cubed, for x of N(0, I) and y of N(s, I)."""
    d, shift, trials = 12, 0.7, 200
    # Of x.y / d: mean mu and variance given the shifts of both; the third central moment is what is left.
    generator = torch.Generator().manual_seed(9)

    def expected(a: float, b: float) -> float:
        x = torch.randn(2_000_000, d, generator=generator, dtype=torch.float32) + a
        y = torch.randn(2_000_000, d, generator=generator, dtype=torch.float32) + b
        return (((x * y).sum(1) / d + 1).double() ** 3).mean().item()

    truth = expected(0, 0) + expected(shift, shift) - 2 * expected(0, shift)
    hits = 0
    for s in range(trials):
        found = kid(normal(100, d, seed=2 * s), normal(100, d, shift, seed=2 * s + 1))
        hits += found.low <= truth <= found.high
    assert 0.91 <= hits / trials <= 0.99


@pytest.mark.parametrize(("x", "y"), [((24, 3), (30, 3)), ((30, 3), (30, 4)), ((30,), (30, 3))])
def test_what_it_cannot_compare_it_refuses(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        kid(torch.zeros(x), torch.zeros(y))


def test_it_gives_plain_floats() -> None:
    found = kid(normal(30), normal(30, seed=1))
    assert isinstance(found, Kid)
    assert all(type(value) is float for value in vars(found).values())
