"""BigGAN's equations on hand-computed numbers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.contract.golden import LABELS  # class: a, b, c; glasses: no, yes
from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.core.labels import one_hot
from zerosum.games.biggan import Attention, BigD, BigGAN, ConditionalNorm, Down, Settings, Up, overlap

SHAPE = DataShape(32, 32, 1, LABELS)
Y = torch.tensor([[2, 0], [1, 1]])
C = one_hot(Y, LABELS)


def biggan(**settings: float) -> BigGAN:
    torch.manual_seed(0)
    return BigGAN(Settings(**{"z": 8, "embed": 3, "width": 2, **settings}), SHAPE)  # type: ignore[arg-type]


def batch() -> Images:
    return Images(torch.rand(2, 1, 32, 32), Y)


class Says(nn.Module):
    """A discriminator that says `real` of the first half of what it sees and `fake` of the rest."""

    def __init__(self, real: float, fake: float):
        super().__init__()
        self.says = real, fake

    def forward(self, x: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        half = len(x) // 2
        return torch.tensor([self.says[0]] * half + [self.says[1]] * (len(x) - half))[:, None]


@pytest.mark.parametrize(
    ("real", "fake", "real_loss", "fake_loss"),
    [(0.25, -0.5, 0.75, 0.5), (3.0, -2.0, 0.0, 0.0), (-1.0, 2.0, 2.0, 3.0)],
)
def test_the_hinge_wants_a_margin_of_1_on_both_sides(
    real: float, fake: float, real_loss: float, fake_loss: float
) -> None:
    game = biggan()
    game.D = Says(real, fake)  # type: ignore[assignment]
    loss, notes = game.D_loss(batch(), Clock())
    assert notes["D_real"].item() == pytest.approx(real_loss)
    assert notes["D_fake"].item() == pytest.approx(fake_loss)
    assert loss.item() == pytest.approx(real_loss + fake_loss)


def test_G_raises_what_D_says_past_any_margin() -> None:
    game = biggan(ortho=0.0)
    game.D = Says(7.0, 5.0)  # type: ignore[assignment]
    loss, notes = game.G_loss(batch(), Clock())
    assert loss.item() == pytest.approx(-6.0)
    assert set(notes) == {"G"}


def test_overlap_is_that_of_the_filters_whatever_their_lengths() -> None:
    W = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    # W W' = [[5, 11], [11, 25]]: off the diagonal 11 twice
    assert overlap([W]).item() == pytest.approx(2 * 11.0**2)
    assert overlap([torch.tensor([[3.0, 0.0], [0.0, 0.1]])]).item() == 0.0
    tall = torch.tensor([[1.0], [2.0], [3.0]])  # products 2, 3, 6, each twice
    assert overlap([tall]).item() == pytest.approx(2 * (2.0**2 + 3.0**2 + 6.0**2))
    assert overlap([W, tall]).item() == pytest.approx(242.0 + 98.0)


def test_overlap_of_a_convolution_is_that_of_its_filters() -> None:
    W = torch.zeros(2, 3, 3, 3)
    W[0, 1, 1, 1], W[1, 1, 1, 1], W[1, 0, 0, 0] = 2.0, 3.0, 5.0
    assert overlap([W]).item() == pytest.approx(2 * 6.0**2)


def test_beta_weighs_the_overlap_of_all_of_G_but_the_embedding() -> None:
    game = biggan(ortho=0.5)
    game.D = Says(0.0, 0.0)  # type: ignore[assignment]
    loss, notes = game.G_loss(batch(), Clock())
    assert loss.item() == pytest.approx(0.5 * notes["overlap"].item())
    layers = [layer for layer in game.G.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    weights = [layer.parametrizations.weight.original for layer in layers if layer is not game.G.embed]  # type: ignore[union-attr,index]
    assert len(weights) == len(layers) - 1
    assert notes["overlap"].item() == pytest.approx(overlap(weights).item(), rel=1e-5)


def test_the_overlap_is_taken_in_float32() -> None:
    W = torch.randn(8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert overlap([W]).item() == overlap([W.clone()]).item()
        assert overlap([W]).dtype == torch.float32


def plain(layer: nn.Linear, weight: list[list[float]]) -> nn.Linear:
    """A layer without spectral norm in the other's place."""
    made = nn.Linear(layer.in_features, layer.out_features, bias=False)
    made.weight.data = torch.tensor(weight)
    return made


def test_a_conditional_norm_scales_about_1_and_moves_about_0() -> None:
    norm = ConditionalNorm(1, 2)
    norm.A, norm.B = plain(norm.A, [[0.5, 0.0]]), plain(norm.B, [[0.0, 3.0]])  # type: ignore[arg-type]
    x = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)  # mean 0, variance 1
    y = torch.tensor([[0.0, 0.0], [2.0, 1.0]])
    # the first is told nothing; the second 1 + 0.5 * 2 and 3
    assert norm(x, y).flatten().tolist() == pytest.approx([-1.0, 1.0 * 2.0 + 3.0], abs=1e-4)


def test_each_chunk_of_z_reaches_the_layer_that_it_is_for_and_no_earlier_one() -> None:
    game = biggan(z=9).eval()
    assert game.G.chunks == [3, 2, 2, 2]
    z, seen = torch.randn(1, 9), []
    for block in [game.G.first, *game.G.blocks]:
        block.register_forward_hook(lambda module, inputs, x: seen.append(x))
    edges = [0, 3, 5, 7, 9]
    for chunk in range(4):
        other = z.clone()
        other[:, edges[chunk] : edges[chunk + 1]] += 1
        seen.clear()
        game.G(z, C[:1])
        game.G(other, C[:1])
        changed = [not torch.equal(a, b) for a, b in zip(seen[:4], seen[4:], strict=True)]
        assert changed == [layer >= chunk for layer in range(4)]


def test_the_labels_reach_each_block() -> None:
    game, seen = biggan().eval(), []
    for block in [game.G.first, *game.G.blocks]:
        block.register_forward_hook(lambda module, inputs, x: seen.append(inputs))
    z = torch.randn(1, 8)
    game.G(z, C[:1])
    game.G(z, C[1:])
    told = [inputs[1] for inputs in seen if len(inputs) == 2]
    for one, other in zip(told[:3], told[3:], strict=True):
        assert torch.equal(one[:, :3], game.G.embed(C[:1]))
        assert torch.equal(other[:, :3], game.G.embed(C[1:]))
        assert torch.equal(one[:, 3:], other[:, 3:])


def test_projection_is_the_codes_times_V_times_the_features_and_psi() -> None:
    D = BigD([1, 2], SHAPE)

    class TwoFeatures(nn.Module):
        """Of four pixels, features whose sums are 2 and 1."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.5, 0.25])[None, :, None, None].expand(len(x), 2, 2, 2)

    D.phi = TwoFeatures()  # type: ignore[assignment]
    D.psi = plain(D.psi, [[10.0, 10.0]])  # type: ignore[arg-type]
    D.V = plain(D.V, [[1.0, 2.0, 3.0, 4.0, 5.0], [0.1, 0.2, 0.3, 0.4, 0.5]])  # type: ignore[arg-type]
    # class c, no glasses: V y = (3 + 4, 0.3 + 0.4); times (2, 1): 14.7; psi = 10 * 2 + 10 * 1
    assert D(torch.zeros(1, 1, 4, 4), C[:1]).item() == pytest.approx(14.7 + 30.0, rel=1e-6)


def test_spectral_norm_holds_each_layer_but_the_embedding_near_1_while_it_moves() -> None:
    game = biggan()
    optimizers = {name: player.optimizer(player.parameters()) for name, player in game.players().items()}
    for _ in range(20):
        for name, turn in (("D", game.D_loss), ("G", game.G_loss)):
            optimizers[name].zero_grad()
            turn(batch(), Clock())[0].backward()  # type: ignore[union-attr]
            optimizers[name].step()
    for layer in game.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer is not game.G.embed:
            moved = layer.parametrizations.weight.original  # type: ignore[union-attr,index]
            assert not torch.equal(moved, layer.weight)
            norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
            assert norm == pytest.approx(1.0, abs=0.05)


def test_first_weights_are_orthogonal() -> None:
    W = biggan().D.phi[0].conv2.weight.flatten(1)  # type: ignore[union-attr]
    assert torch.allclose(W @ W.T, torch.eye(len(W)), atol=1e-4)


def test_a_block_of_G_doubles_and_one_of_D_halves_odd_sides_up() -> None:
    x = torch.randn(2, 4, 3, 5)
    assert Up(4, 2, 6, nn.Identity())(x, torch.randn(2, 6)).shape == (2, 2, 6, 10)
    assert Down(4, 6, nn.ReLU(), nn.AvgPool2d(2, ceil_mode=True))(x).shape == (2, 6, 2, 3)


def test_attention_stands_at_64_pixels_and_passes_everything_at_first() -> None:
    def levels(side: int) -> list[int]:
        game = BigGAN(BigGAN.tiny, DataShape(side, side, 1, LABELS))
        looks = [isinstance(block.look, Attention) for block in game.G.blocks]
        assert looks.count(True) == sum(isinstance(layer, Attention) for layer in game.D.modules())
        return [side >> (len(looks) - 1 - i) for i, look in enumerate(looks) if look]

    assert [levels(side) for side in (32, 64, 128, 256)] == [[], [], [64], [64]]
    x = torch.randn(2, 8, 6, 4)
    assert torch.equal(Attention(8)(x), x)


def test_attention_is_a_mean_of_h_where_f_and_g_know_nothing() -> None:
    look = Attention(2)
    for layer, weight in ((look.f, 0.0), (look.g, 0.0), (look.h, 1.0), (look.v, 1.0)):
        layer.parametrizations.weight[0] = nn.Identity()  # type: ignore[union-attr,index,operator]
        nn.init.constant_(layer.parametrizations.weight.original, weight)  # type: ignore[union-attr,index]
    nn.init.constant_(look.gamma, 2.0)
    x = torch.zeros(1, 2, 2, 4)
    x[0, 0, 0, 0], x[0, 1, 1, 3] = 3.0, 5.0
    # h sums the two channels; the greatest of each 2 x 2 is 3 and 5, their mean 4, and gamma 2
    assert torch.allclose(look(x), x + 2 * 4.0)


def test_who_plays_how_fast_and_how_often() -> None:
    game = biggan(rate=1e-4, ttur=4.0, n_critic=3)
    made = {name: player.optimizer(player.parameters()) for name, player in game.players().items()}
    assert {name: optimizer.param_groups[0]["lr"] for name, optimizer in made.items()} == {"D": 4e-4, "G": 1e-4}
    assert all(optimizer.param_groups[0]["betas"] == (0.0, 0.999) for optimizer in made.values())
    assert [(turn.players, turn.times, turn.draws) for turn in game.turns()] == [("D", 3, True), ("G", 1, False)]


def test_settled_it_stands_on_statistics_of_its_own_latents_and_the_live_networks_stay() -> None:
    live = biggan().generator().eval()
    before = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    settled = live.settled()
    assert all(torch.equal(before[name], tensor) for name, tensor in live.state_dict().items())
    z = settled.latents(256, seed=0)
    x = settled.G.first(z[:, :2])  # what comes into the first batch norm
    norm = settled.G.blocks[0].norm1.norm  # type: ignore[union-attr,index]
    assert torch.allclose(norm.running_mean, x.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, x.var((0, 2, 3)), rtol=0.05)
    assert torch.equal(settled.settled().images(2), settled.images(2)), "settled twice is settled once"


def test_truncated_its_labels_stay_and_its_noise_comes_nearer() -> None:
    generator = biggan().generator().eval()
    z, seen = generator.latents(64, seed=0), []
    generator.G.register_forward_hook(lambda module, inputs, x: seen.append(inputs))
    generator.truncated(z, 0.5)
    noise, codes = seen[0]
    assert torch.equal(codes, z[:, 8:])
    assert noise.std().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"z": 0}, "--z 0: wanted a number above 0"),
        ({"z": 3}, "--z 3: wanted at least 4"),
        ({"embed": 0}, "--embed 0"),
        ({"width": -1}, "--width -1"),
        ({"rate": 0.0}, "--rate 0.0"),
        ({"ttur": 0.0}, "--ttur 0.0"),
        ({"n_critic": 0}, "--n_critic 0"),
        ({"ortho": -1.0}, "--ortho -1.0: wanted 0 or more"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        biggan(**settings)


def test_data_without_labels_is_refused() -> None:
    with pytest.raises(Refusal, match=r"biggan needs labels; this data has none\. Put each class in a subfolder"):
        BigGAN(Settings(), DataShape(32, 32, 3))
