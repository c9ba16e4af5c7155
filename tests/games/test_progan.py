"""ProGAN's growth and equations on hand-computed numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import made_up
from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.core.generator import load
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.games.progan import ProGAN, Settings, depth_at, stage_of, widths_of
from zerosum.layers.equalised import EqualConv, EqualLinear, PixelNorm
from zerosum.layers.minibatch import Deviation
from zerosum.layers.shapes import averaged, doubled, scales
from zerosum.training import trainer
from zerosum.training.match import Match

CPU = choose(Plan(precision="fp32", device="cpu"))
SHAPE = DataShape(16, 16, 3)  # two doublings: 4, 8, 16


def progan(shape: DataShape = SHAPE, **settings: object) -> ProGAN:
    torch.manual_seed(0)
    return ProGAN(Settings(z=4, width=2, **settings), shape)  # type: ignore[arg-type]


def at_depth(game: ProGAN, depth: float) -> ProGAN:
    game.G.depth.fill_(depth)
    game.D.depth.fill_(depth)
    return game


class Mean(nn.Module):
    """D(x) = slope * the mean of x."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))
        self.depth = nn.Buffer(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x.flatten(1).mean(1, keepdim=True)

    def seen(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("grown", "depth"),
    [(0, 0), (0.24, 0), (0.25, 0), (0.375, 0.5), (0.5, 1), (0.74, 1), (0.875, 1.5), (1, 2), (7, 2)],
)
def test_it_plays_and_fades_for_equal_spells(grown: float, depth: float) -> None:
    assert depth_at(grown, 2) == pytest.approx(depth)


@pytest.mark.parametrize(("depth", "stage", "alpha"), [(0, 0, 1), (0.25, 1, 0.25), (1, 1, 1), (1.5, 2, 0.5), (2, 2, 1)])
def test_alpha_is_the_fraction_of_the_depth(depth: float, stage: int, alpha: float) -> None:
    assert stage_of(torch.tensor(depth)) == (stage, pytest.approx(alpha))


def test_a_fade_mixes_the_coarse_picture_and_the_fine_one() -> None:
    game, z = progan(), torch.randn(2, 4)
    coarse, fine = at_depth(game, 1).G(z), at_depth(game, 2).G(z)
    between = at_depth(game, 1.25).G(z)
    assert (coarse.shape[2], fine.shape[2]) == (8, 16)
    assert torch.allclose(between, 0.75 * doubled(coarse, (16, 16)) + 0.25 * fine, atol=1e-6)


def test_a_fade_begins_where_the_last_depth_ended() -> None:
    game, z, x = progan(), torch.randn(2, 4), torch.rand(2, 3, 16, 16)
    ended, judged = at_depth(game, 1).G(z), game.D(averaged(x))
    begun, faded = at_depth(game, 1 + 1e-6).G(z), game.D(x)
    assert torch.allclose(begun, doubled(ended, (16, 16)), atol=1e-4)
    assert torch.allclose(faded, judged, atol=1e-4)


def test_reals_are_blurred_as_far_as_fakes_are() -> None:
    game, x = progan(), torch.rand(2, 3, 16, 16)
    assert torch.equal(at_depth(game, 0).D.seen(x), averaged(averaged(x)))
    assert torch.equal(at_depth(game, 2).D.seen(x), x)
    assert torch.allclose(at_depth(game, 1.5).D.seen(x), (x + doubled(averaged(x), (16, 16))) / 2)


def test_the_clock_drives_both_networks() -> None:
    game = progan(growth=0.5)
    game.D_loss(Images(torch.rand(4, 3, 16, 16)), Clock(images=1875, total=10_000))
    assert float(game.G.depth) == float(game.D.depth) == pytest.approx(0.5)


def test_the_critics_loss_is_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    game = progan(drift=0.1, gp=3.0, lazy=4)
    game.D = Mean(2.0)  # type: ignore[assignment]
    monkeypatch.setattr(game, "fakes", lambda n: torch.full((n, 3, 16, 16), 0.25))  # D = 0.5
    batch = Images(torch.full((2, 3, 16, 16), 0.75))  # D = 1.5
    loss, notes = game.D_loss(batch, Clock())
    assert notes["wasserstein"].item() == pytest.approx(1.0)
    assert loss.item() == pytest.approx(0.1 * 1.5**2 - 1.0)  # type: ignore[union-attr]
    assert game.G_loss(batch, Clock())[0].item() == pytest.approx(-0.5)  # type: ignore[union-attr]
    slope = 2.0 / math.sqrt(3 * 16 * 16)
    penalty, _ = game.penalty(batch, Clock())
    assert penalty.item() == pytest.approx(4 * 3.0 * (slope - 1) ** 2, rel=1e-5)  # type: ignore[union-attr]


def test_the_penalty_is_float32_under_autocast() -> None:
    game, batch = at_depth(progan(), 2), Images(torch.rand(4, 3, 16, 16))
    torch.manual_seed(1)
    plain, _ = game.penalty(batch, Clock())
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed, _ = game.penalty(batch, Clock())
    assert mixed.dtype == torch.float32  # type: ignore[union-attr]
    assert mixed.item() == pytest.approx(plain.item(), rel=0.02)  # type: ignore[union-attr]  # fakes alone are bfloat16


def test_weights_are_used_at_the_scale_of_their_inputs() -> None:
    torch.manual_seed(0)
    dense, conv = EqualLinear(400, 300, gain=2.0, pace=0.01, bias=0.5), EqualConv(50, 40, 3, gain=2.0)
    assert dense.weight.std().item() == pytest.approx(100, rel=0.01)
    assert dense(torch.zeros(1, 400))[0, 0].item() == pytest.approx(0.5)
    assert (dense(torch.randn(200, 400)) - 0.5).std().item() == pytest.approx(2, rel=0.05)
    assert conv.weight.std().item() == pytest.approx(1, rel=0.05)
    assert conv(torch.randn(20, 50, 9, 9))[..., 1:-1, 1:-1].std().item() == pytest.approx(2, rel=0.05)


def test_pixel_norm_is_one_at_each_pixel() -> None:
    x = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert PixelNorm()(x).flatten().tolist() == pytest.approx([3 / math.sqrt(12.5), 4 / math.sqrt(12.5)])


def test_deviation_is_a_map_of_one_number() -> None:
    x = torch.zeros(2, 1, 1, 2)
    x[0, 0, 0, 0], x[1, 0, 0, 0] = 1.0, 3.0  # deviations 1 and 0
    found = Deviation()(x)
    assert found.shape == (2, 2, 1, 2)
    assert torch.allclose(found[:, 1], torch.tensor(0.5), atol=1e-4)


def test_sizes_and_widths_of_an_odd_picture() -> None:
    assert scales(DataShape(33, 57, 1)) == [(5, 8), (9, 15), (17, 29), (33, 57)]
    assert widths_of(16, DataShape(256, 256, 3)) == [256, 256, 256, 128, 64, 32, 16]


def test_what_has_not_grown_is_shown_in_large_pixels(tmp_path: Path) -> None:
    game = at_depth(progan(), 1)
    game.generator().eval().save(tmp_path / "g.safetensors")
    again = load(tmp_path / "g.safetensors")
    pictures = again.images(3)
    assert pictures.shape == (3, 3, 16, 16)
    assert torch.equal(pictures, doubled(averaged(pictures), (16, 16)))
    assert again.score(pictures).shape == (3,)  # type: ignore[attr-defined]


def test_a_stop_in_the_middle_of_a_fade_changes_nothing(tmp_path: Path) -> None:
    source, plan = made_up(Images, SHAPE), Plan(images=80, batch=8, save=8, precision="fp32", score=0)
    trainer.train(progan(growth=0.8), source, whole := Run(tmp_path / "whole"), plan)
    halves = Run(tmp_path / "halves")
    training = trainer.Training(game := progan(growth=0.8), source, halves, plan, trainer.Silent())
    while not 0 < float(game.G.depth) % 1 < 1:
        training.play_round()
    trainer.train(progan(growth=0.8), source, halves, plan)
    assert (whole.path / "log.jsonl").read_bytes() == (halves.path / "log.jsonl").read_bytes()
    ours, theirs = (load(run.snapshots[-1]) for run in (whole, halves))
    assert (ours.sample(4) == theirs.sample(4)).all()
    assert float(theirs.state_dict()["G.depth"]) == 2


@pytest.mark.parametrize("setting", [{"growth": 0.0}, {"growth": 1.5}, {"gp": -1.0}, {"lazy": 0}])
def test_settings_out_of_range_are_refused(setting: dict) -> None:
    with pytest.raises(Refusal, match=f"--{next(iter(setting))}"):
        Settings(**setting)


def test_a_new_layers_first_step_is_no_leap() -> None:
    """Adam's moments of layers that do not play yet begin with their first gradient."""
    game = progan(growth=0.8)
    match = Match(
        game, made_up(Images, SHAPE), Plan(batch=8, micro=8, order="epochs", precision="fp32"), CPU, total=800
    )
    newest = game.G.blocks[0][0].weight  # type: ignore[index]
    before = newest.detach().clone()
    while torch.equal(newest, before):
        match.play_round()
    assert match.clock.rounds > 3, "it came later than the others"
    assert float((newest - before).detach().abs().max()) == pytest.approx(game.config.rate, rel=0.01)
