"""What the machine offers."""

from __future__ import annotations

import torch

from zerosum.core.machine import choose
from zerosum.core.plan import Plan


def test_seeding_is_that_of_torch() -> None:
    for number in (0, 7, 2**64 - 1):
        choose(Plan(device="cpu")).seed(number)
        ours = torch.rand(5)
        torch.manual_seed(number)
        assert torch.equal(ours, torch.rand(5))
