"""The running average against its profile, computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.core.batch import DataShape
from zerosum.core.generator import Header, LatentGenerator
from zerosum.training.average import Average, gamma_of_width


def live() -> LatentGenerator:
    G, D = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1)), nn.Linear(1, 1)
    return LatentGenerator(Header("none", {}, DataShape(1, 1)), G, 1, D)


def test_width_and_gamma_are_the_papers_pair() -> None:
    assert gamma_of_width(0.1) == pytest.approx(6.94, abs=0.005)  # Karras et al. 2024, section 3.1
    assert gamma_of_width(0.05) == pytest.approx(16.97, abs=0.005)


def test_average_follows_the_power_profile() -> None:
    generator = live()
    average = Average(generator, 0.1)
    gamma, steps = gamma_of_width(0.1), 50
    for step in range(1, steps + 1):
        nn.init.constant_(generator.G[0].weight, float(step))
        average.update(step)
    weights = torch.arange(1, steps + 1, dtype=torch.float64)
    keep = (1 - 1 / weights) ** (gamma + 1)
    profile = torch.stack([(1 - keep[i]) * keep[i + 1 :].prod() for i in range(steps)])
    assert float(profile.sum()) == pytest.approx(1)
    assert average.copy.G[0].weight.item() == pytest.approx(float((profile * weights).sum()), rel=1e-5)


def test_running_statistics_are_averaged_and_the_judge_is_copied() -> None:
    generator = live()
    average = Average(generator, 0.1)
    average.update(1)
    nn.init.constant_(generator.G[1].running_mean, 8.0)
    nn.init.constant_(generator.judge.weight, 5.0)
    average.update(2)
    expected = 8 * (1 - 0.5 ** (gamma_of_width(0.1) + 1))
    assert average.copy.G[1].running_mean.item() == pytest.approx(expected)
    assert average.caught_up().judge.weight.item() == 5.0


def test_width_zero_is_the_live_generator() -> None:
    generator = live()
    average = Average(generator, 0)
    nn.init.constant_(generator.G[0].weight, 3.0)
    average.update(7)
    assert average.copy.G[0].weight.item() == 3.0
