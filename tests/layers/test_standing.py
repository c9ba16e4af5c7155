"""Batch norm's statistics for use."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.layers.standing import take_standing_statistics


def test_they_are_the_means_over_the_batches_whatever_training_left_behind() -> None:
    net = nn.Sequential(nn.BatchNorm2d(1)).eval()
    norm = net[0]
    nn.init.constant_(norm.running_mean, 9.0)
    batches = [torch.tensor([0.0, 2.0]).view(2, 1, 1, 1), torch.tensor([4.0, 8.0]).view(2, 1, 1, 1)]
    take_standing_statistics(net, batches)
    assert norm.running_mean.item() == pytest.approx((1 + 6) / 2)
    assert norm.running_var.item() == pytest.approx((2 + 8) / 2)  # unbiased, as torch keeps them
    assert norm.momentum == pytest.approx(0.1)
    assert not net.training


def test_a_net_without_batch_norm_stays_as_it_is() -> None:
    net = nn.Linear(2, 2)
    before = net.weight.clone()
    take_standing_statistics(net, [torch.randn(4, 2)])
    assert torch.equal(before, net.weight)
    assert net.training
