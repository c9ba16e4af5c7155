"""All fakes so far are remembered, each with the same chance."""

from __future__ import annotations

import torch

from zerosum.layers.replay import Replay


def numbered(first: int, count: int) -> torch.Tensor:
    return torch.arange(first, first + count, dtype=torch.float32)[:, None]


def test_the_first_batch_passes_as_it_is() -> None:
    assert torch.equal(Replay(8, (1,))(numbered(0, 4)), numbered(0, 4))


def test_half_of_a_later_batch_is_old() -> None:
    torch.manual_seed(0)
    past = Replay(8, (1,))
    past(numbered(0, 4))
    out = past(numbered(4, 6))[:, 0].tolist()
    assert out[:3] == [7, 8, 9]
    assert set(out[3:]) <= {0, 1, 2, 3}


def test_every_fake_is_kept_with_the_same_chance() -> None:
    """Of 40 fakes, 8 are kept, 400 times: each 80 times on average, with a deviation of 8."""
    torch.manual_seed(0)
    counts = torch.zeros(40)
    for _ in range(400):
        past = Replay(8, (1,))
        for first in range(0, 40, 5):
            past(numbered(first, 5))
        kept = past.kept[:, 0].long()
        assert len(kept.unique()) == 8, "none twice"
        counts[kept] += 1
    assert 45 < counts.min() <= counts.max() < 115
    assert 70 < counts[:20].mean() < 90, "the oldest half as often as the newest"


def test_it_is_a_processes_own_and_of_fixed_size() -> None:
    past = Replay(8, (3, 2, 2))
    assert past.per_process
    past(torch.randn(20, 3, 2, 2))
    assert {name: tuple(buffer.shape) for name, buffer in past.named_buffers()} == {"kept": (8, 3, 2, 2), "seen": ()}
    assert past.seen == 20


def test_a_single_fake_is_never_replaced() -> None:
    past = Replay(4, (1,))
    past(numbered(0, 4))
    assert past(numbered(9, 1)).item() == 9


def test_what_is_not_finite_is_not_remembered() -> None:
    past = Replay(8, (1,))
    past(numbered(0, 4))
    past(torch.full((4, 1), torch.nan))
    assert int(past.seen) == 4
    assert past.kept.isfinite().all()
