import pytest
import torch

from tests.metrics.made_up import Made, scenes
from zerosum.metrics.panel import Panel
from zerosum.metrics.versus import coverage_difference, versus


def normal(n: int, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "d", "scale"), [(100, 3, 0.5), (200, 4, 0.6), (200, 12, 0.7)])
def test_equal_coverages_are_told_apart_in_less_than_a_twentieth(n: int, d: int, scale: float) -> None:
    held = 0
    for s in range(200):
        one, other = (normal(n, d, seed=3 * s + i) * scale for i in (1, 2))
        found = coverage_difference(one, other, normal(n, d, seed=3 * s))
        held += found.low <= 0 <= found.high
    assert held >= 190


def test_it_says_which_is_better_and_when_it_cannot() -> None:
    panel = Panel(Made(scenes(200), heldout=scenes(60, seed=9)), judges=("random",))
    good, also = (panel.gallery(scenes(150, seed=s)) for s in (1, 2))
    dark = panel.gallery(scenes(150, seed=1) // 2)
    found = versus(panel, good, dark)
    assert found["text"].startswith("the first is better by the untrained judge and coverage")
    assert found["kid_random"]["high"] < 0 < found["coverage"]["low"]
    assert versus(panel, dark, good)["text"].startswith("the second is better by the untrained judge and coverage")
    assert versus(panel, dark, good)["kid_random"]["value"] == pytest.approx(-found["kid_random"]["value"])
    assert versus(panel, good, also)["text"] == "They cannot be told apart with so many pictures."
    few = panel.gallery(scenes(3, seed=1)[torch.arange(150).numpy() % 3])
    assert "coverage" in versus(panel, good, few)["text"]
