from itertools import combinations

import pytest
import torch

from zerosum.metrics.memorisation import duplicates, nearness, relatives


def normal(n: int, d: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact_p(made: list[float], heldout: list[float]) -> float:
    """The one-sided p of the rank sum, over all ways to name the values made and held out."""
    values = [*made, *heldout]

    def wins(chosen: tuple[int, ...]) -> float:
        rest = [v for i, v in enumerate(values) if i not in chosen]
        return sum((values[i] < v) + (values[i] == v) / 2 for i in chosen for v in rest)

    observed = wins(tuple(range(len(made))))
    ways = [wins(chosen) for chosen in combinations(range(len(values)), len(made))]
    return sum(w >= observed for w in ways) / len(ways)


@pytest.mark.parametrize(
    ("made", "heldout"), [([1.0, 2, 4], [3.0, 5, 6]), ([1.0, 2], [3.0, 4, 5, 6]), ([9.0, 8, 1], [2.0, 3, 4, 5])]
)
def test_p_is_that_of_all_rearrangements(made: list[float], heldout: list[float]) -> None:
    found = nearness(torch.tensor(made), torch.tensor(heldout))
    assert found.p == pytest.approx(exact_p(made, heldout))


def test_a_few_that_are_close_are_weighed_by_an_urn() -> None:
    """Of 2 made and 2 held out, both made ones come first in 1 of 6 orders, one or both do in 3 of 6."""
    assert nearness(torch.tensor([1.0, 2]), torch.tensor([3.0, 4])).p_close == pytest.approx(1 / 6)
    assert nearness(torch.tensor([1.0, 9]), torch.tensor([3.0, 4])).p_close == pytest.approx(1 / 2)
    assert nearness(torch.tensor([5.0, 9]), torch.tensor([3.0, 4])).p_close == 1


def test_ties_count_half() -> None:
    found = nearness(torch.tensor([0.0, 1, 1]), torch.tensor([1.0, 2]))
    assert found.effect == pytest.approx(5 / 6)
    ones = torch.ones(40)
    assert nearness(ones, ones).effect == 0.5
    assert not nearness(ones, ones).is_suspicious


def test_the_nearest_is_found_mirrored_too() -> None:
    train = normal(50)
    wanted = torch.tensor([3, 30, 7])
    seen = torch.stack([train[3], train[30] + 5, train[7] + 0.01])
    mirrored = torch.stack([train[5] + 9, train[30], train[7] + 1])
    found = relatives(seen, mirrored, train)
    assert found.numbers.equal(wanted)
    assert found.mirrored.tolist() == [False, True, False]
    assert found.distances.tolist() == pytest.approx([0, 0, 0.01 * 8**0.5])


def test_copies_are_caught_and_held_out_ones_are_not_accused() -> None:
    train, unseen = normal(400), normal(100, seed=1)

    def near(x: torch.Tensor):
        return relatives(x, x + 100, train).distances

    copies = nearness(near(train[:200] + 0.05 * normal(200, seed=2)), near(unseen))
    assert copies.effect > 0.99
    assert copies.close > 0.9
    assert copies.is_suspicious
    partly = torch.cat([train[:20], normal(180, seed=3)])
    assert nearness(near(partly), near(unseen)).is_suspicious, "a tenth of copies is enough"
    accused = sum(nearness(near(normal(100, seed=9 + s)), near(unseen)).is_suspicious for s in range(50))
    assert accused == 0


def test_duplicates_tell_how_many_different_pictures_there_are() -> None:
    heldout = normal(300, seed=1)
    honest = duplicates(normal(500), heldout)
    assert honest.expected == pytest.approx(10 * (500 * 499) / (300 * 299))
    assert honest.support is None
    few = normal(100)[torch.randint(100, (500,), generator=torch.Generator().manual_seed(0))]
    found = duplicates(few, heldout)
    assert found.pairs > 20 * honest.pairs
    assert found.support == pytest.approx(100, rel=0.15)
    assert duplicates(few[:1].expand(50, -1), heldout).support == 1


def test_equal_held_out_pictures_allow_only_equal_ones() -> None:
    heldout = torch.cat([normal(20), normal(20)])
    assert duplicates(normal(200, seed=1), heldout).pairs == 0
    assert duplicates(heldout, heldout).pairs == 20
