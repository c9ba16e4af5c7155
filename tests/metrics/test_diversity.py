import pytest
import torch
from torch import Tensor, nn

from zerosum.metrics.diversity import diversity


class Differs(nn.Module):
    """In the place of LPIPS: the mean absolute difference."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return (x - y).abs().mean((1, 2, 3)) * self.weight


def pictures(n: int) -> Tensor:
    return torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("n", [4, 65, 130])
def test_it_is_the_mean_over_neighbours(n: int) -> None:
    x = pictures(n)
    wanted = [(x[i] - x[i + 1]).abs().mean().item() for i in range(0, n - 1, 2)]
    found = diversity(Differs(), x)  # type: ignore[arg-type]
    assert found.value == pytest.approx(sum(wanted) / len(wanted))
    margin = 1.96 * torch.tensor(wanted).std().item() / len(wanted) ** 0.5
    assert found.high - found.value == pytest.approx(margin, rel=1e-4)


def test_equal_pictures_have_none_and_fewer_kinds_have_less() -> None:
    x = pictures(60)
    assert diversity(Differs(), x[:1].expand(60, -1, -1, -1)).value == 0  # type: ignore[arg-type]
    two = x[torch.randint(2, (60,), generator=torch.Generator().manual_seed(1))]
    assert diversity(Differs(), two).high < diversity(Differs(), x).low  # type: ignore[arg-type]
