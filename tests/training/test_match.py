"""Turns, batches, notes and randomness of a game in play, on a game small enough to follow by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD

from tests.conftest import Blobs
from zerosum.core.batch import Images
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.match import Match, Order

PLAN = Plan(batch=8, micro=8, order="epochs", precision="fp32")


@dataclass(frozen=True)
class Config:
    """Nothing to set."""


class Two(Game):
    """Two players with one weight each."""

    def __init__(self, turns: Callable[[Two], list[Turn]], **rules: Callable):
        super().__init__(Config(), Blobs().shape)
        self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.a.weight)
        nn.init.ones_(self.b.weight)
        self._turns, self.rules, self.seen = turns, rules, list[tuple[str, int, float]]()

    def players(self) -> dict[str, Player]:
        sgd = partial(SGD, lr=0.1)
        return {"a": Player([self.a], sgd, **self.rules), "b": Player([self.b], sgd)}

    def turns(self) -> list[Turn]:
        return self._turns(self)

    def a_loss(self, batch: Images, clock: Clock) -> Moves:
        self.seen.append(("a", clock.images, float(batch.x.sum())))
        return self.a.weight.sum() * 2, {"a": self.a.weight.sum()}

    def b_loss(self, batch: Images, clock: Clock) -> Moves:
        self.seen.append(("b", clock.images, float(batch.x.sum())))
        return self.a.weight.sum() * self.b.weight.sum(), {}

    def both(self, batch: Images, clock: Clock) -> Moves:
        product = self.a.weight.sum() * self.b.weight.sum()
        return {"a": product, "b": -3 * product}, {}

    def passes(self, batch: Images, clock: Clock) -> None:
        return None


def match(turns: Callable[[Two], list[Turn]], plan: Plan = PLAN, total: int = 64, **rules: Callable) -> Match:
    return Match(Two(turns, **rules), Blobs(), plan, choose(plan), total)


def weights(played: Match) -> tuple[float, float]:
    return played.game.a.weight.item(), played.game.b.weight.item()  # type: ignore[operator,union-attr]


def test_each_turn_moves_its_own_player_alone() -> None:
    played = match(lambda g: [Turn("b", g.b_loss)])
    played.play_round()
    assert weights(played) == pytest.approx((1.0, 0.9))


def test_each_player_moves_by_its_own_loss_alone() -> None:
    played = match(lambda g: [Turn(("a", "b"), g.both)])
    played.play_round()
    assert weights(played) == pytest.approx((1 - 0.1, 1 + 0.3))


def test_micro_batches_add_up_to_the_batch() -> None:
    def turns(g: Two) -> list[Turn]:
        return [Turn(("a", "b"), g.both), Turn("a", g.a_loss)]

    whole, parts = match(turns), match(turns, replace(PLAN, micro=2))
    whole.play_round()
    parts.play_round()
    assert weights(parts) == pytest.approx(weights(whole))


def test_a_turn_that_does_not_draw_sees_the_batch_before_and_stops_the_clock() -> None:
    played = match(lambda g: [Turn("a", g.a_loss, times=2), Turn("b", g.b_loss, draws=False)])
    played.play_round()
    (_, first, x0), (_, second, x1), (_, third, x2) = played.game.seen  # type: ignore[misc, has-type]
    assert (first, second, third) == (8, 16, 16)
    assert x1 == x2 != x0


def test_every_and_stages_follow_the_clock() -> None:
    played = match(lambda g: [Turn("a", g.a_loss), Turn("b", g.b_loss, draws=False, every=3, stop=0.6)])
    for _ in range(8):
        played.play_round()
    names = "".join(name for name, _, _ in played.game.seen)  # type: ignore[union-attr]
    assert names == "abaaabaaaa"  # b in rounds 0 and 3; round 6 is past 0.6 of the run


def test_a_passed_turn_moves_nothing() -> None:
    played = match(lambda g: [Turn("a", g.passes)])
    played.play_round()
    assert weights(played) == (1.0, 1.0)
    assert played.clock.images == 8


def test_a_player_that_took_no_part_counts_as_zero() -> None:
    played = match(lambda g: [Turn(("a", "b"), g.a_loss)])
    played.play_round()
    assert weights(played) == pytest.approx((0.8, 1.0))


def test_rate_and_after_step() -> None:
    game: list[Two] = []

    def turns(g: Two) -> list[Turn]:
        game.append(g)
        return [Turn("a", g.a_loss)]

    played = match(turns, rate=lambda clock: 0.5, after_step=lambda: game[0].a.weight.clamp_(max=0.85))
    played.play_round()
    assert weights(played)[0] == pytest.approx(0.85)
    played.play_round()
    assert weights(played)[0] == pytest.approx(0.75)


def test_notes_are_means() -> None:
    played = match(lambda g: [Turn("a", g.a_loss)])
    played.play_round()
    played.play_round()
    assert played.take_notes() == {"a": pytest.approx((1.0 + 0.8) / 2)}
    assert played.take_notes() == {}


def test_randomness_is_keyed_by_the_picture_and_not_by_the_past() -> None:
    drawn: list[float] = []

    def noisy(g: Two) -> list[Turn]:
        def loss(batch: Images, clock: Clock) -> Moves:
            drawn.append(float(torch.rand(())))
            return g.a_loss(batch, clock)

        return [Turn("a", loss)]

    one = match(noisy, replace(PLAN, micro=4))
    one.play_round()
    torch.manual_seed(99)
    one.play_round()
    straight = list(drawn)
    drawn.clear()
    other = match(noisy, replace(PLAN, micro=4))
    state = {"images": 8, "rounds": 1, "first": 0, "notes": {}, "slower": 1.0, "skipped": 0, "in_a_row": {}}
    other.restore(state, lambda name: other.game.state_dict() if name == "game" else {})
    other.play_round()
    assert drawn == straight[2:]
    assert len(set(straight)) == 4


def test_order_shows_each_picture_once_an_epoch() -> None:
    order = Order(10, seed=1, replacement=False)
    epochs = order.draw(0, 30).reshape(3, 10)
    assert (np.sort(epochs, axis=1) == np.arange(10)).all()
    assert (epochs[0] != epochs[1]).any()
    assert (Order(10, 1, False).draw(7, 9) == epochs.ravel()[7:16]).all()
    assert (Order(10, 2, False).draw(0, 10) != epochs[0]).any()


def test_order_with_replacement_repeats_pictures() -> None:
    drawn = Order(10, 1, True).draw(0, 1000)
    counts = np.bincount(drawn, minlength=10)
    assert drawn.min() >= 0
    assert counts.min() > 60
    assert len(set(Order(10, 1, True).draw(0, 10))) < 10
