"""The levers' equations on hand-computed numbers, and each game's contract with all of them pulled."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.contract import test_games as contract
from zerosum.cli import train
from zerosum.cli._common import parse
from zerosum.core import catalog
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.losses.adversarial import says_fake, says_real
from zerosum.losses.levers import LAZY, Levers, balance, mode_seeking

GAMES = ("gan", "dcgan", "house")
ALL = Levers(
    ttur=2.0,
    skip=0.9,
    soft="two-sided",
    noise=0.1,
    replay=12,
    deviation=True,
    discrimination=3,
    pack=2,
    seek=0.1,
    spectral=True,
    r2=1.0,
)


@pytest.fixture(params=GAMES)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A game whose tiny config has every lever pulled."""
    game_type = catalog.game(request.param)
    monkeypatch.setattr(game_type, "tiny", replace(game_type.tiny, levers=ALL))
    return request.param


def test_with_all_levers_it_resumes_bit_for_bit(name: str, tmp_path: Path) -> None:
    contract.test_four_rounds_equal_two_and_a_resume(name, tmp_path)


def test_with_all_levers_it_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    contract.test_saved_and_loaded_it_makes_the_same(name, tmp_path)


def test_with_all_levers_its_losses_are_finite(name: str) -> None:
    contract.test_losses_are_finite(name)


def test_with_all_levers_a_config_survives_its_plain_values(name: str) -> None:
    contract.test_config_is_frozen_plain_and_explained(name)


def test_with_all_levers_a_turn_moves_only_its_own_players(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game_type = catalog.game(name)  # one that passes its turn moves nobody
    monkeypatch.setattr(game_type, "tiny", replace(game_type.tiny, levers=replace(ALL, skip=1.0)))
    contract.test_a_turn_moves_only_its_own_players(name)


def test_with_all_levers_it_plays_on_odd_shapes(name: str) -> None:
    contract.test_it_plays_on_any_shape(name, DataShape(33, 57, 1))


def test_gan_plays_on_tables_with_all_levers(monkeypatch: pytest.MonkeyPatch) -> None:
    game_type = catalog.game("gan")
    monkeypatch.setattr(game_type, "tiny", replace(game_type.tiny, levers=replace(ALL, r1=1.0)))
    for kind in contract.kinds("gan"):
        contract.test_it_plays_on_each_kind_that_it_names("gan", kind)


@pytest.mark.parametrize("plain", GAMES)
def test_a_lever_that_is_not_pulled_leaves_no_trace(plain: str) -> None:
    assert not list(contract.fit(plain).game.past.modules())[1:]  # type: ignore[union-attr, operator]
    assert type(contract.fit(plain).game.D) is nn.Sequential


# ------------------------------------------------------------------------------------------------------ the equations


def test_soft_labels_move_the_best_answer() -> None:
    """D's loss on reals is least where D(x) = 0.9, there the entropy of 0.9; on fakes where it is 0.1."""
    levers = Levers(soft="two-sided")
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    logit = torch.tensor([math.log(9.0)])
    assert float(says_real(logit, levers.real)) == pytest.approx(entropy)
    assert float(says_fake(-logit, levers.fake)) == pytest.approx(entropy)
    assert (Levers(soft="one-sided").real, Levers(soft="one-sided").fake) == (0.9, 0.0)
    assert (Levers().real, Levers().fake) == (1.0, 0.0)


def test_balance_is_the_share_of_pairs_ranked_rightly() -> None:
    real, fake = torch.tensor([[3.0], [1.0]]), torch.tensor([[2.0], [0.0]])
    assert balance(real, fake) == 0.75  # only 1 against 2 is wrong
    assert not Levers(skip=0.75).D_wins(real, fake)
    assert Levers(skip=0.7).D_wins(real, fake)
    assert not Levers().D_wins(real, fake - 9), "1 is never"


def test_a_winning_discriminator_passes_its_turn() -> None:
    game_type = catalog.game("gan")
    game = game_type(replace(game_type.tiny, levers=Levers(skip=0.9)), DataShape(1, 2, 1))
    batch = contract.kinds("gan")[1](torch.full((4, 2), 9.0))  # type: ignore[call-arg]
    game.D = _Sum()
    assert game.D_loss(batch, Clock()) is None  # type: ignore[operator]
    game.D = _Sum(-1)
    assert game.D_loss(batch, Clock()) is not None  # type: ignore[operator]


class _Sum(nn.Module):
    """Sees one thing: the sum, times a sign."""

    def __init__(self, sign: float = 1.0):
        super().__init__()
        self.sign = sign

    def forward(self, x: Tensor) -> Tensor:
        return self.sign * x.flatten(1).sum(1, keepdim=True)


def test_noise_falls_to_nothing() -> None:
    levers, x = Levers(noise=2.0), torch.zeros(20_000)
    assert levers.noisy(x, Clock(0, total=100)).std().item() == pytest.approx(2.0, rel=0.03)
    assert levers.noisy(x, Clock(75, total=100)).std().item() == pytest.approx(0.5, rel=0.03)
    assert levers.noisy(x, Clock(100, total=100)) is x


def test_mode_seeking_is_the_distance_of_z_over_that_of_pictures() -> None:
    z, fake = torch.tensor([[0.0, 0.0], [1.0, 3.0]]), torch.tensor([[0.0], [0.5]])
    assert mode_seeking(z, fake).item() == pytest.approx(2 / 0.5, rel=1e-4)  # mean |z1 - z2| = 2, of pictures 0.5
    assert Levers(seek=3.0).sought(z, fake) == pytest.approx(12.0, rel=1e-4)
    assert Levers().sought(z, fake) == 0.0


def test_penalties_are_half_gamma_times_the_squared_gradient() -> None:
    """D(x) = 2 * the sum of 3 numbers: a squared gradient of 4 * 3 everywhere."""
    D = nn.Linear(3, 1, bias=False)
    nn.init.constant_(D.weight, 2.0)
    loss, notes = Levers(r1=1.0, r2=0.5).penalty(D, torch.zeros(2, 3), lambda n: torch.ones(n, 3))
    assert (notes["R1"].item(), notes["R2"].item()) == (12.0, 12.0)
    assert loss.item() == pytest.approx(LAZY / 2 * (1.0 + 0.5) * 12)  # type: ignore[union-attr]


def test_two_rates() -> None:
    game_type = catalog.game("dcgan")
    game = game_type(replace(game_type.tiny, rate=1e-3, levers=Levers(ttur=0.25)), DataShape(32, 32, 3))
    rates = {n: p.optimizer(p.parameters()).param_groups[0]["lr"] for n, p in game.players().items()}
    assert rates == {"D": 2.5e-4, "G": 1e-3}


def test_n_critic_moves_the_discriminator_so_often() -> None:
    game_type = catalog.game("house")
    game = game_type(replace(game_type.tiny, levers=Levers(n_critic=3)), DataShape(32, 32, 3))
    assert [(turn.players, turn.times) for turn in game.turns()] == [("D", 3), ("D", 1), ("G", 1)]


def test_spectral_norm_bounds_the_slope() -> None:
    """No step of the input by 1 moves the logit by more than 1: layers of norm 1, and LeakyReLU."""
    torch.manual_seed(0)
    D = Levers(spectral=True).judge(nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)))
    for _ in range(50):
        D(torch.zeros(1, 6))  # each pass is a power iteration
    x, y = torch.randn(2, 500, 6)
    slopes = (D(x) - D(y)).detach().abs()[:, 0] / (x - y).norm(dim=1)
    assert 0.1 < float(slopes.max()) <= 1.001


def test_spectral_norm_comes_in_place_of_batch_norms() -> None:
    game_type = catalog.game("dcgan")
    game = game_type(replace(game_type.tiny, levers=Levers(spectral=True)), DataShape(32, 32, 3))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in game.D.modules())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "given", [{"ttur": 0}, {"n_critic": 0}, {"pack": 0}, {"skip": 0.4}, {"noise": -1}, {"replay": -1}, {"seek": -0.1}]
)
def test_what_makes_no_sense_is_refused(given: dict) -> None:
    with pytest.raises(Refusal, match=f"--levers.{next(iter(given))}"):
        Levers(**given)


def test_unknown_levers_are_refused_with_the_nearest() -> None:
    with pytest.raises(Refusal, match="house's levers has no setting 'repaly'; did you mean 'replay'"):
        catalog.config(catalog.game("house"), {"levers": {"repaly": 512}})
    with pytest.raises(Refusal, match="wanted settings by name"):
        catalog.config(catalog.game("house"), {"levers": 3})


def test_on_the_command_line_they_bear_their_whole_name() -> None:
    argv = ["avatars", "--width", "8", "--levers.soft", "one-sided", "--levers.deviation", "--levers.n-critic", "2"]
    settings = parse(train._with_settings("house"), argv, "train house", "").settings  # type: ignore[attr-defined]
    wanted = replace(
        catalog.game("house").Config(), width=8, levers=Levers(soft="one-sided", deviation=True, n_critic=2)
    )
    assert catalog.config(catalog.game("house"), asdict(settings)) == wanted


@pytest.mark.parametrize(("game", "given"), [("house", {"r1": 1.0}), ("gan", {"n_critic": 2})])
def test_what_a_game_has_under_another_name_is_refused(game: str, given: dict) -> None:
    with pytest.raises(Refusal, match="--gamma" if game == "house" else "--n_critic"):
        catalog.config(catalog.game(game), {"levers": given})


def test_the_tutorials_networks_have_no_levers() -> None:
    with pytest.raises(Refusal, match="no levers"):
        catalog.config(catalog.game("dcgan"), {"network": "keras", "levers": {"replay": 5}})
