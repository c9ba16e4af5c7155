"""What the judge looks at: a linear judge's weights, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.report.made_up import made_up_generator, made_up_run
from zerosum.core.errors import Refusal
from zerosum.report.looks import looks, saliency


def judge_of_corner() -> nn.Module:
    """Scores 16 x 16 pictures by 2 red - 3 blue of the pixel at row 4, column 12."""
    judge = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1))
    weight = torch.zeros(3, 16, 16)
    weight[0, 4, 12], weight[2, 4, 12] = 2.0, -3.0
    judge[1].weight.data = weight.reshape(1, -1)
    return judge


def test_of_a_linear_judge_it_is_the_largest_weight() -> None:
    heat = saliency(made_up_generator(judge_of_corner()), torch.rand(2, 3, 16, 16), draws=3)
    expected = np.zeros((2, 16, 16), np.float32)
    expected[:, 4, 12] = 3.0
    np.testing.assert_allclose(heat, expected, rtol=1e-6)


def test_noise_smooths_a_kink() -> None:
    """D(x) = the sum of |x|: at x = 0.05 the gradient is 1, and under noise of 0.3 its mean is erf(0.05 / 0.3 / 2^0.5)
    = 0.132."""

    class Kink(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.abs().sum((1, 2, 3))

    x = torch.full((1, 1, 16, 16), 0.05)
    sharp = saliency(made_up_generator(Kink()), x, draws=1, noise=0.0)
    np.testing.assert_array_equal(sharp, np.ones((1, 16, 16)))
    smooth = saliency(made_up_generator(Kink()), x, draws=2000, noise=0.15)
    assert smooth.mean() == pytest.approx(0.132, abs=0.004)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_glows_where_the_judge_looks(tmp_path: Path, channels: int) -> None:
    generator = made_up_generator(judge_of_corner()) if channels == 3 else grey_generator()
    path = looks(made_up_run(tmp_path, channels=channels), generator, num=2)
    with Image.open(path) as picture:
        sheet = np.asarray(picture).astype(int)
    side, top = 144 + 2, 18 + 2
    assert sheet.shape == (18 + 2 * side + 2, 4 * side + 2, 3)
    for column in (1, 3):  # beside the real ones, beside the made ones
        cell = sheet[top : top + 144, column * side + 2 : column * side + 146]
        glow = cell.max(2) - cell.min(2)  # the rest is grey
        assert glow[4 * 9 : 5 * 9, 12 * 9 : 13 * 9].min() > 60
        assert glow[9 * 9 :, : 6 * 9].max() == 0


def grey_generator() -> nn.Module:
    generator = made_up_generator(nn.Sequential(nn.Flatten(), nn.Linear(16 * 16, 1)))
    assert generator.judge is not None
    generator.judge[1].weight.data = (
        torch.zeros(1, 16, 16)
        .index_put_(  # type: ignore[index]
            (torch.tensor(0), torch.tensor(4), torch.tensor(12)), torch.tensor(1.0)
        )
        .reshape(1, -1)
    )
    generator.forward = lambda z: z[:, :1, None, None].tanh().expand(-1, -1, 16, 16)  # type: ignore[method-assign]
    return generator


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    with pytest.raises(Refusal, match="paint holds no judge"):
        looks(run, made_up_generator())
    with pytest.raises(Refusal, match=r"no reals\.png"):
        looks(made_up_run(tmp_path / "empty", empty=True), made_up_generator(judge_of_corner()))
    with pytest.raises(Refusal, match="transparent"):
        looks(made_up_run(tmp_path / "clear", channels=4), made_up_generator(judge_of_corner()))
    assert not (run.path / "looks.png").exists()
