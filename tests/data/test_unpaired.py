"""Two sets of pictures without pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zerosum as zs
from tests.conftest import Blobs, Rows, Twins
from zerosum.core.batch import DataShape, Images, Unpaired, pictures
from zerosum.core.errors import Refusal
from zerosum.data.unpaired import unpaired


def numbers(source: Blobs, x: torch.Tensor) -> list[int]:
    """Which of the source's pictures these are."""
    known = source.batch(np.arange(len(source))).x.flatten(1)
    return torch.cdist(x.flatten(1), known).argmin(1).tolist()


def test_the_larger_is_seen_once_and_the_smaller_comes_round() -> None:
    x, y = Blobs(10, seed=1), Blobs(25, seed=2)
    source = unpaired(x, y)
    assert len(source) == 25
    batch = source.batch(np.arange(25))
    assert isinstance(batch, Unpaired)
    assert numbers(x, batch.x) == [*range(10), *range(10), *range(5)]
    assert sorted(numbers(y, batch.y)) == list(range(25))


def test_equal_numbers_are_no_pairs_and_the_indices_alone_decide() -> None:
    x, y = Blobs(50, seed=1), Blobs(50, seed=2)
    batch = unpaired(x, y).batch(np.arange(50))
    assert numbers(y, batch.y) != numbers(x, batch.x)
    again = unpaired(x, y).batch(np.array([7, 7, 3]))
    assert torch.equal(again.x, batch.x[[7, 7, 3]])
    assert torch.equal(again.y, batch.y[[7, 7, 3]])


def test_what_they_hold_decides_the_fingerprint() -> None:
    a, b, c = (Blobs(10, seed=seed) for seed in range(3))
    prints = {unpaired(*sets).fingerprint for sets in ((a, b), (b, a), (a, c))}
    assert len(prints) == 3
    assert unpaired(a, b).fingerprint in prints


def test_held_out_pictures_are_those_of_both() -> None:
    held = unpaired(Blobs(10, seed=1), Blobs(20, seed=5)).heldout()
    assert held is not None
    batch = held.batch(np.arange(20))
    assert numbers(Blobs(10, seed=2), batch.x)[:10] == list(range(10))
    assert torch.equal(batch.x[0], Blobs(10, seed=2).batch(np.arange(1)).x[0])


def test_it_is_judged_by_as_many_pictures_of_each() -> None:
    x, y = Blobs(4, seed=1), Blobs(10, seed=2)
    seen = pictures(unpaired(x, y))
    assert seen is not None
    assert len(seen) == 8
    batch = seen.batch(np.arange(8))
    assert isinstance(batch, Images)
    assert numbers(x, batch.x[0::2]) == [0, 1, 2, 3]
    assert numbers(y, batch.x[1::2]) == [0, 2, 5, 7], "spread evenly over the larger"
    assert torch.equal(batch.x[0::2], x.batch(np.arange(4)).x)
    held = seen.heldout()
    assert held is not None
    assert held.fingerprint != seen.fingerprint


def test_what_a_run_is_judged_by() -> None:
    blobs = Blobs(4)
    assert pictures(blobs) is blobs
    assert pictures(Rows()) is None
    assert pictures(Twins()) is None


def test_labels_may_differ_and_are_left_out() -> None:
    from tests.contract.golden import LABELS

    source = zs.unpaired(Blobs(4, DataShape(32, 32, 3, LABELS)), Blobs(4, seed=1))
    assert source.shape == DataShape(32, 32, 3)
    assert source.pictures().shape == DataShape(32, 32, 3)


def test_other_sizes_and_kinds_are_refused() -> None:
    with pytest.raises(Refusal, match=r"blobs has pictures of 32 x 32 x 3, blobs of 48 x 32 x 3; wanted one size"):
        unpaired(Blobs(4), Blobs(4, DataShape(32, 48, 3)))
    with pytest.raises(Refusal, match="rows holds table rows; wanted two sets of pictures"):
        unpaired(Blobs(4), Rows())


def test_one_set_twice_is_refused() -> None:
    with pytest.raises(Refusal, match="hold the same pictures; wanted two sets"):
        unpaired(Blobs(4), Blobs(4))
