"""StyleGAN2's equations on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.core.generator import Judges, Samples, Styles
from zerosum.games.stylegan2 import Residual, Settings, Styled, StyleGAN2, modulated
from zerosum.losses.penalties import path_lengths

SHAPE = DataShape(16, 16, 3)


def stylegan2(shape: DataShape = SHAPE, **settings: object) -> StyleGAN2:
    torch.manual_seed(0)
    return StyleGAN2(Settings(**{"z": 4, "mapping": 2, "width": 2, **settings}), shape)  # type: ignore[arg-type]


@pytest.mark.parametrize("up", [False, True])
def test_modulation_scales_each_pictures_weights_and_demodulation_brings_them_to_length_1(up: bool) -> None:
    torch.manual_seed(0)
    h, weight, s = torch.randn(3, 4, 5, 6), torch.randn(2, 4, 3, 3), torch.randn(3, 4)
    found = modulated(h, weight, s, up)
    for i in range(3):
        own = weight * s[i, :, None, None]  # equation (1)
        own = own / own.square().sum((1, 2, 3), keepdim=True).sqrt()  # equation (3)
        if up:
            smooth = F.interpolate(h[i : i + 1], scale_factor=2, mode="bilinear")
            wanted = F.conv2d(smooth, own, padding=1)
            assert torch.allclose(found[i : i + 1, :, 3:-3, 3:-3], wanted[:, :, 3:-3, 3:-3], atol=1e-4)
        else:
            assert torch.allclose(found[i : i + 1], F.conv2d(h[i : i + 1], own, padding=1), atol=1e-4)


def test_demodulated_features_keep_their_strength_whatever_the_style() -> None:
    torch.manual_seed(0)
    h, weight = torch.randn(2, 64, 16, 16), torch.randn(64, 64, 3, 3)
    weak, strong = modulated(h, weight, torch.full((2, 64), 0.1)), modulated(h, weight, torch.full((2, 64), 10.0))
    assert torch.allclose(weak, strong, atol=1e-4)
    assert weak[:, :, 2:-2, 2:-2].std().item() == pytest.approx(1, rel=0.05)


class Linear(nn.Module):
    """G(w) = scale * the sum over layers of w's, as a picture of 1 x 2 pixels: J is known."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, w: Tensor) -> Tensor:
        return self.scale * w.sum(1)[:, None, None, :]


def test_path_length_is_the_norm_of_the_noise_seen_through_J(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn_like", lambda x: torch.tensor([3.0, 4.0]).expand_as(x))
    G, w = Linear(2.0), torch.zeros(3, 5, 2, requires_grad=True)
    lengths = path_lengths(G, w)
    assert lengths.tolist() == pytest.approx([2 * 5.0] * 3)  # at each of the layers J_w^T y = 2 y
    lengths.sum().backward()
    assert G.scale.grad is not None
    assert G.scale.grad.item() == pytest.approx(3 * 5.0)


def test_path_length_regularisation_is_equation_4(monkeypatch: pytest.MonkeyPatch) -> None:
    game = stylegan2(path=3.0, lazy=4)
    monkeypatch.setattr("zerosum.games.stylegan2.path_lengths", lambda G, w: torch.tensor([3.0, 5.0]))
    game.a.fill_(2.0)
    loss, notes = game.path_loss(Images(torch.rand(4, 3, 16, 16)), Clock())
    a = 2 + 0.01 * (4 - 2)
    penalty = ((3 - a) ** 2 + (5 - a) ** 2) / 2
    assert notes["path"].item() == pytest.approx(penalty)
    gamma = math.log(2) / (16**2 * (math.log(16) - math.log(2)))
    assert loss.item() == pytest.approx(2 * 4 * 3.0 * gamma * penalty, rel=1e-5)  # type: ignore[union-attr]


def test_path_lengths_are_float32_under_autocast_and_reach_mapping_and_synthesis() -> None:
    game = stylegan2().eval()  # no new noise
    w = game.G.map(torch.randn(2, 4))
    torch.manual_seed(1)
    plain = path_lengths(game.G, w)
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = path_lengths(game.G, w)
    assert torch.equal(plain, mixed)
    plain.sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in game.G.f.parameters() if p.dim() > 1)
    assert all(layer.conv.weight.grad.any() for layer in game.G.layers)


def test_mixed_styles_change_once_from_some_layer_on(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    mixed, plain = stylegan2(mixing=1.0).styles(64), stylegan2(mixing=0.0).styles(64)
    changes = (mixed[:, 1:] != mixed[:, :-1]).any(2).sum(1)
    assert changes.eq(1).all()
    assert len((mixed[:, 1:] != mixed[:, :-1]).any(2).float().argmax(1).unique()) == mixed.shape[1] - 1
    assert torch.equal(plain, plain[:, :1].expand_as(plain))


def test_adas_probability_follows_the_sign_of_D(monkeypatch: pytest.MonkeyPatch) -> None:
    game, step = stylegan2(ada=0.5), 8 / 100_000
    wishes = (([1.0] * 8, step), ([1.0] * 7 + [-1.0], 2 * step), ([1.0] * 5 + [-1.0] * 3, step))
    for number, (logits, wanted) in enumerate(wishes, 1):
        game.augment.adapt(torch.tensor(logits), 0.5, 100_000, 8 * number)
        assert game.augment.p.item() == pytest.approx(wanted)
    game.augment.adapt(torch.full((8,), -1.0), 0.5, 10, 32)
    assert game.augment.p.item() == 0


def test_without_ada_D_sees_the_pictures_as_they_are() -> None:
    game = stylegan2(ada=0.0)
    for _ in range(3):
        game.D_loss(Images(torch.rand(4, 3, 16, 16)), Clock())
    assert game.augment.p.item() == 0


def test_R1_is_half_gamma_times_the_squared_gradient() -> None:
    game = stylegan2(gamma=3.0, lazy=5)
    game.D = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1, bias=False))
    nn.init.constant_(game.D[1].weight, 0.01)  # type: ignore[arg-type]
    loss, _ = game.R1(Images(torch.rand(2, 3, 16, 16)), Clock())
    assert loss.item() == pytest.approx(5 * 3.0 / 2 * 0.01**2 * 3 * 16 * 16, rel=1e-5)  # type: ignore[union-attr]


def test_adam_is_slowed_for_its_lazy_turns() -> None:
    game = stylegan2(rate=0.1, lazy=3)
    D, G = (p.optimizer(p.parameters()).defaults for p in (game.players()["D"], game.players()["G"]))
    assert (D["lr"], D["betas"]) == (pytest.approx(0.1 * 3 / 4), pytest.approx((0, 0.99**0.75)))
    assert (G["lr"], G["betas"]) == (pytest.approx(0.1 * 6 / 7), pytest.approx((0, 0.99 ** (6 / 7))))
    plain = stylegan2(rate=0.1, lazy=3, gamma=0.0, path=0.0).players()
    assert all(p.optimizer(p.parameters()).defaults["lr"] == 0.1 for p in plain.values()), "no turn is lazy"


def test_noise_is_new_in_training_and_fixed_in_use() -> None:
    torch.manual_seed(0)
    layer, h, w = Styled(4, 2, 2, (8, 8)), torch.randn(1, 2, 8, 8), torch.randn(1, 4)
    assert torch.equal(layer(h, w), layer(h, w))  # its strength begins at 0
    nn.init.ones_(layer.strength)
    assert not torch.equal(layer(h, w), layer(h, w))
    layer.eval()
    assert torch.equal(layer(h, w), layer(h, w))


def test_a_block_of_D_keeps_the_variance() -> None:
    torch.manual_seed(0)
    h = torch.randn(8, 32, 16, 16)
    found = Residual(32, 64)(h)
    assert found.shape == (8, 64, 8, 8)
    assert 0.2 < found.std().item() < 1.5


def test_it_has_styles_a_layer() -> None:
    game = stylegan2()
    generator = game.generator().eval()
    assert isinstance(generator, Samples)
    assert isinstance(generator, Styles)
    assert isinstance(generator, Judges)
    z = generator.latents(3, 0)
    w = generator.map(z)
    assert w.shape == (3, 6, 4)  # 4, 8, 16: one, two and two layers, and the last to pixels
    assert torch.equal(generator.synthesize(w), generator(z))
    finer = w.clone()
    finer[:, -1] += 1
    assert not torch.equal(generator.synthesize(finer), generator(z))


def test_truncation_draws_styles_to_their_mean() -> None:
    generator = stylegan2().generator().eval().settled()
    z = generator.latents(4, 0)
    whole, none = generator.truncated(z, 1.0), generator.truncated(z, 0.0)
    assert torch.allclose(whole, generator(z), atol=1e-6)
    assert torch.allclose(none, none[:1].expand_as(none), atol=1e-6)
    mean = generator.map(generator.latents(4096, 0))[:, 0].mean(0)
    assert torch.allclose(generator.G.w_mean, mean, atol=1e-5)


def test_settling_leaves_the_live_networks_alone() -> None:
    live = stylegan2().generator()
    settled = live.settled()
    assert settled.G.w_mean.any()
    assert not live.G.w_mean.any()


@pytest.mark.parametrize("setting", [{"mapping": 0}, {"gamma": -1.0}, {"mixing": 1.5}, {"ada": 2.0}, {"path": -1.0}])
def test_settings_out_of_range_are_refused(setting: dict) -> None:
    with pytest.raises(Refusal, match=f"--{next(iter(setting))}"):
        Settings(**setting)
