"""What a run needs of memory, by hand and by play; what has no room is refused, and the advice fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from tests.conftest import Blobs, made_up
from tests.contract.test_games import every_game, tiny
from zerosum import api
from zerosum.core.batch import DataShape, Images, Table
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Generator, Header
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.losses.penalties import gradient_square
from zerosum.training import memory, room, trainer
from zerosum.training.distributed import Team
from zerosum.training.match import Match
from zerosum.training.recipe import complete
from zerosum.training.screen import Silent

PLAN = Plan(images=64, batch=16, micro=16, order="epochs", precision="fp32", score=0)
VALUES, OUT = 32 * 32 * 3, 4
HOUSE = {"width": 4, "z": 8}


@dataclass(frozen=True)
class Config:
    """Nothing to set."""


class One(Game):
    """One linear layer, whose outputs or whose gradient at the pictures fall."""

    def __init__(self, optimizer: Callable = SGD):
        super().__init__(Config(), Blobs().shape)
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(VALUES, OUT, bias=False))
        self.optimizer = optimizer

    def players(self) -> dict[str, Player]:
        return {"one": Player([self.net], partial(self.optimizer, lr=0.1))}

    def turns(self) -> list[Turn]:
        return [Turn("one", self.outputs), Turn("one", self.gradient, draws=False)]

    def generator(self) -> Generator:
        return Generator(Header("one", {}, self.shape))

    def outputs(self, batch: Images, clock: Clock) -> Moves:
        return self.net(batch.x).square().sum(), {}

    def gradient(self, batch: Images, clock: Clock) -> Moves:
        def twice(x: Tensor) -> Tensor:
            return self.net(x).square()

        return gradient_square(twice, batch.x), {}


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, sentence: str) -> None:
        self.said.append(sentence)


def house(plan: Plan = PLAN) -> tuple[Game, Blobs, Plan]:
    source = Blobs()
    game = api.build("house", source, HOUSE, seed=0)
    return game, source, complete(game, plan)


def need_of(game: Game, source: Blobs, plan: Plan) -> memory.Need:
    return memory.needed(game, source, plan, choose(plan))


def fit(monkeypatch: pytest.MonkeyPatch, free: int | None, plan: Plan = PLAN, team: Team | None = None) -> Heard:
    """Asks for room for house where so many bytes are free, beside the weights that are there already."""
    heard, (game, source, plan) = Heard(), house(plan)
    monkeypatch.setattr(room, "available", lambda device: None if free is None else free - memory.held(game))
    room.fitting(game, source, plan, choose(plan), team or Team(), heard)
    return heard


@pytest.mark.parametrize(
    ("optimizer", "times"), [(SGD, 0), (partial(SGD, momentum=0.9), 1), (Adam, 2), (partial(Adam, amsgrad=True), 3)]
)
def test_what_stands_is_counted_by_hand(optimizer: Callable, times: int) -> None:
    need, layer = need_of(One(optimizer), Blobs(), PLAN), 4 * VALUES * OUT
    assert (need.weights, need.gradients, need.average, need.optimizer) == (layer, layer, layer, times * layer)
    assert (need.watched, need.judges) == (0, 0), "it draws nothing from noise"
    assert need.total == memory.LIBRARIES + (3 + times) * layer + round(memory.WORK * need.activations)


@pytest.mark.parametrize("micro", [2, 4, 16])
def test_what_is_kept_for_backward_is_counted_by_hand(micro: int) -> None:
    """For |Wx|^2: x and Wx. For the square of its gradient at x: these, 2Wx and the gradient; a number for the sum."""
    outputs, gradient = need_of(One(), Blobs(), replace(PLAN, micro=micro)).turns
    x, y = 4 * VALUES, 4 * OUT
    assert outputs == (0, x + y)
    assert gradient[0] + gradient[1] * micro == pytest.approx(2 * (x + y) * micro + 4, abs=micro), "rounded down"


def test_judges_and_the_runs_health_count_where_pictures_are_drawn() -> None:
    game, source, plan = house()
    picture = 4 * VALUES
    assert need_of(game, source, plan).watched == 2 * 128 * picture
    judged = [need_of(game, source, replace(plan, score=score)).judges for score in (0, 50, 500)]
    assert judged[0] == 0 < judged[1] == judged[2], "as there are 64 pictures"
    assert judged[1] == pytest.approx(memory.JUDGES + 1664 * picture)


@every_game
def test_every_game_is_weighed_and_what_more_pictures_take_lies_on_a_line(name: str) -> None:
    game, source = tiny(name)
    plan = complete(game, replace(PLAN, batch=32, micro=32))
    machine = choose(plan)
    need = memory.needed(game, source, plan, machine)
    match = Match(game, source, plan, machine, total=64)
    match.clock.images = match.clock.total  # where networks that grow have grown
    played = [memory._kept(match, turn) for turn in match.turns]
    told = [kept + each * 32 for kept, each in need.turns]
    assert told == pytest.approx(played, rel=0.02)
    assert need.activations == max(told) > 32 * 4 * VALUES, "the pictures at the least"
    optimizers = [v for o in match.optimizers.values() for s in o.state.values() for v in s.values()]
    assert not optimizers, "only losses were played"
    match.play_round()
    assert need.optimizer == sum(remembered(optimizer) for optimizer in match.optimizers.values())


def remembered(optimizer: Optimizer) -> int:
    """Bytes of its moments, with those of parameters that have had no gradient yet, which wait for one."""
    moments = [[v for v in state.values() if v.dim()] for state in optimizer.state.values()]
    waiting = [p for group in optimizer.param_groups for p in group["params"] if p not in optimizer.state]
    return sum(v.nbytes for its in moments for v in its) + len(moments[0]) * sum(p.nbytes for p in waiting)


def test_levers_are_weighed() -> None:
    plain, levers = ({}, {"replay": 100, "pack": 2, "discrimination": 3, "noise": 0.1, "r2": 1.0, "spectral": True})
    needs = []
    for setting in (plain, levers):
        game = api.build("dcgan", Blobs(), HOUSE | {"levers": setting}, seed=0)
        needs.append(need_of(game, Blobs(), complete(game, PLAN)))
    assert needs[1].weights > needs[0].weights + 100 * 4 * VALUES
    assert needs[1].activations > needs[0].activations


def test_neither_the_game_nor_chance_is_touched() -> None:
    game, source, plan = house()
    before = {name: tensor.clone() for name, tensor in game.state_dict().items()}
    moves = [p.requires_grad for p in game.parameters()]
    torch.manual_seed(3)
    state = torch.get_rng_state()
    need_of(game, source, plan)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in game.state_dict().items())
    assert moves == [p.requires_grad for p in game.parameters()]
    assert all(p.grad is None for p in game.parameters())
    assert game.training


@pytest.mark.parametrize("batch", [16, 24])
def test_the_advice_is_the_greatest_micro_batch_that_fits(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, batch=batch, micro=batch)
    need = need_of(*house(plan))
    free = replace(need, micro=batch // 3).total + 1
    with pytest.raises(Refusal, match=r"house on blobs, 32 x 32 x 3.*needs about \d+ MB of memory; ") as refused:
        fit(monkeypatch, free, plan)
    found = re.search(r"Train with --micro (\d+) \(the same batch in smaller parts\): ", str(refused.value))
    assert found, refused.value
    micro = int(found[1])
    assert micro == {16: 4, 24: 8}[batch], "it divides the batch"
    fit(monkeypatch, free, replace(plan, micro=micro))
    with pytest.raises(Refusal):
        fit(monkeypatch, free, replace(plan, micro=2 * micro))


def test_the_advice_suits_the_team(monkeypatch: pytest.MonkeyPatch) -> None:
    need = need_of(*house())
    free = replace(need, micro=8).total + 1
    team = Team(0, 4)
    monkeypatch.setattr(Team, "gather", lambda self, value: [value])
    with pytest.raises(Refusal, match="--micro 4 "):
        fit(monkeypatch, free, team=team)


def test_processes_of_one_machine_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = need_of(*house()).total + 1
    fit(monkeypatch, free)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(Refusal, match="Train with"):
        fit(monkeypatch, free)


def test_where_judging_is_what_does_not_fit_it_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    judged = replace(PLAN, score=64)
    free = need_of(*house(judged)).total - 1
    with pytest.raises(Refusal, match=r"Train with --score 0 \(not judged while it trains\): "):
        fit(monkeypatch, free, judged)
    with pytest.raises(Refusal, match="Train with a lower --width or --resolution"):
        fit(monkeypatch, free, replace(judged, stop=True))


def test_what_has_no_room_while_it_stands_is_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "needed", None)
    with pytest.raises(Refusal, match="Train with a lower --width or --resolution"):
        fit(monkeypatch, memory.LIBRARIES)


def test_it_is_said_if_it_is_more_than_half(monkeypatch: pytest.MonkeyPatch) -> None:
    total = need_of(*house()).total
    (said,) = fit(monkeypatch, 2 * total - 2).said
    assert re.search(r"needs about \d+ MB of memory, of \d+ MB that are free", said)
    assert fit(monkeypatch, 2 * total).said == fit(monkeypatch, None).said == []


def test_a_run_is_refused_before_it_begins_and_notes_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    game, source, plan = house()
    total = need_of(game, source, plan).total
    with monkeypatch.context() as scarce:
        scarce.setattr(room, "available", lambda device: total // 2)
        with pytest.raises(Refusal, match="Train with"):
            api.train("house", source, settings=HOUSE, plan=plan, runs=tmp_path, screen=Silent())
    assert not list(tmp_path.glob("*/*"))
    run = Run(tmp_path / "run")
    training = trainer.Training(game, source, run, plan, Silent())
    assert run.info["memory"]["needed"] == total
    assert {"free", "weights", "activations"} < run.info["memory"].keys()
    training.play_round()
    monkeypatch.setattr(trainer, "fitting", None)  # a run that goes on is not weighed again
    trainer.train(house()[0], source, run, plan)
    assert run.is_finished


def test_networks_and_memories_beyond_all_bounds_are_refused_before_they_are_made(tmp_path: Path) -> None:
    for settings, advice in (
        ({"levers": {"replay": 10**10}}, "a lower --levers.replay or --width or --resolution"),
        ({"width": 10**6}, "a lower --width or --resolution"),
    ):
        for name in ("house", "dcgan"):
            said = rf"the networks and memories of {name} with these settings take [\d,.]+ GB; .* are free\. .*{advice}"
            with pytest.raises(Refusal, match=said):
                api.build(name, Blobs(8), settings, seed=0)
            with pytest.raises(Refusal, match=said):
                api.check(name, [str(tmp_path)], settings, PLAN, None, tmp_path / "runs", DataShape(64, 64))


def test_a_table_is_not_taken_for_pictures(tmp_path: Path) -> None:
    table, settings = tmp_path / "t.csv", {"levers": {"replay": 10**6}}  # 49 GB of pictures, 32 MB of rows
    table.write_text("a,b\n1,2\n")
    api.check("gan", [str(table)], settings, PLAN, None, tmp_path / "runs", DataShape(64, 64))
    assert memory.held(api.build("gan", made_up(Table), settings, seed=0)) > 10**6 * 8 * 4
