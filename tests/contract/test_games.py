"""The contract that every game keeps. No game is left out."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing
from pathlib import Path

import pytest
import torch

from tests.conftest import made_up
from tests.contract import golden
from zerosum import api
from zerosum.core import catalog, checkpoint, family
from zerosum.core.batch import Batch, DataShape, Source, called
from zerosum.core.game import Game
from zerosum.core.generator import Judges, Samples, load
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.training import trainer
from zerosum.training.match import Match

BATCH = 8
PLAN = Plan(batch=BATCH, micro=BATCH // 2, order="epochs", precision="fp32", average=0.1, score=0)

SHAPES = [
    *(DataShape(32, 32, channels) for channels in (1, 2, 3, 4)),
    DataShape(32, 48, 4),
    DataShape(40, 36, 3),
    DataShape(33, 57, 1),
    DataShape(100, 64, 3),
    DataShape(256, 256, 3),
]

every_game = pytest.mark.parametrize("name", catalog.names())


def kinds(name: str) -> tuple[type[Batch], ...]:
    plays_on = catalog.game(name).plays_on
    return typing.get_args(plays_on) or (plays_on,)


def tiny(name: str, shape: DataShape | None = None, kind: type[Batch] | None = None) -> tuple[Game, Source]:
    game_type = catalog.game(name)
    shape = dataclasses.replace(shape or DataShape(32, 32, 3), attributes=golden.LABELS)
    source = made_up(kind or kinds(name)[0], shape)
    torch.manual_seed(0)
    return game_type(game_type.tiny, source.shape), source


def fit(name: str, kind: type[Batch] | None = None) -> Match:
    game, source = tiny(name, kind=kind)
    return Match(game, source, PLAN, choose(PLAN), total=1000)


def with_nested(config: type) -> list[type]:
    """The dataclass, and those that its fields are."""
    hints = typing.get_type_hints(config).values()
    nested = [kind for hint in hints if dataclasses.is_dataclass(hint) for kind in with_nested(hint)]  # type: ignore[arg-type]
    return [config, *nested]


@every_game
def test_docstring_names_its_paper(name: str) -> None:
    docstring = catalog.game(name).__doc__ or ""
    assert re.search(r"arXiv:? ?\d{4}\.\d{4,5}", docstring), f"{name}: give authors, year and arXiv id"
    assert re.search(r"\b(19|20)\d\d\b", docstring)


@every_game
def test_it_has_its_place_in_the_family(name: str) -> None:
    card, game_type = family.card(name), catalog.game(name)
    assert card.title.endswith("."), f"{name}: its file begins with one line that says what it is"
    assert len(getattr(game_type, "when", "")) > 20, f"{name}: `when` says in a sentence or two when to use it"
    told = (game_type.when, game_type.stems_from, called(game_type.plays_on))
    assert (card.when, card.stems_from, card.plays_on) == told, "plain values: they are read off the file"
    assert name in [grown.name for _, grown in family.tree()], f"{name} stems from no game: {card.stems_from}"


@every_game
def test_config_is_frozen_plain_and_explained(name: str) -> None:
    config = catalog.game(name).Config
    assert dataclasses.is_dataclass(config)
    assert config.__dataclass_params__.frozen  # type: ignore[attr-defined]
    for kind in with_nested(config):
        source = inspect.getsource(kind)
        for field in dataclasses.fields(kind):
            assert re.search(rf'^    {field.name}: .*\n    """', source, re.M), f"{name}.{field.name} has no docstring"
    game_type = catalog.game(name)
    assert catalog.config(game_type, dataclasses.asdict(game_type.tiny)) == game_type.tiny


@every_game
def test_a_turn_moves_only_its_own_players(name: str) -> None:
    match = fit(name)
    for index, turn in enumerate(match.turns):
        before = {n: [p.clone() for p in player.parameters()] for n, player in match.players.items()}
        match._play(turn, index, 0)
        for player_name, player in match.players.items():
            moved = any(not torch.equal(a, b) for a, b in zip(before[player_name], player.parameters(), strict=True))
            assert moved == (player_name in turn.names()), f"{name}: turn {index} and player {player_name}"


@every_game
def test_losses_are_finite(name: str) -> None:
    match = fit(name)
    for _ in range(4):
        match.play_round()
    notes = match.take_notes()
    assert notes
    assert all(torch.tensor(value).isfinite() for value in notes.values()), notes


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in catalog.names() for kind in kinds(name)])
def test_it_plays_on_each_kind_that_it_names(name: str, kind: type[Batch]) -> None:
    match = fit(name, kind)
    match.play_round()
    assert match.take_notes()


@every_game
def test_no_network_is_forgotten(name: str) -> None:
    game, _ = tiny(name)
    owned = {id(p) for player in game.players().values() for p in player.parameters()}
    trainable = [n for n, p in game.named_parameters() if p.requires_grad and id(p) not in owned]
    assert not trainable, f"{name}: these belong to no player: {trainable}"


@every_game
def test_four_rounds_equal_two_and_a_resume(name: str, tmp_path: Path) -> None:
    plan = Plan(images=4 * BATCH, batch=BATCH, micro=BATCH // 2, save=2 * BATCH, precision="fp32", score=0)
    game, source = tiny(name)
    whole = Run(tmp_path / "whole")
    trainer.train(game, source, whole, plan)
    halves = Run(tmp_path / "halves")
    game, _ = tiny(name)
    training = trainer.Training(game, source, halves, plan, trainer.Silent())
    for _ in range(2):
        training.play_round()
    game, _ = tiny(name)
    with torch.no_grad():  # what a new process starts from must not matter
        for parameter in game.parameters():
            parameter.add_(1)
    trainer.train(game, source, halves, plan)
    one, two = (checkpoint.newest(run.path / "state")[0] for run in (whole, halves))
    assert one is not None
    assert two is not None
    for group in ("game", "optimizers", "average"):
        ours, theirs = one.tensors(group), two.tensors(group)
        assert ours.keys() == theirs.keys()
        different = [key for key in ours if not torch.equal(ours[key], theirs[key])]
        assert not different, f"{name}: {group} differs after a resume: {different}"
    assert (whole.path / "log.jsonl").read_bytes() == (halves.path / "log.jsonl").read_bytes()


@every_game
def test_saved_and_loaded_it_makes_the_same(name: str, tmp_path: Path) -> None:
    match = fit(name)
    match.play_round()
    generator = match.game.generator().eval()
    generator.save(tmp_path / "g.safetensors", images=8)
    again = load(tmp_path / "g.safetensors")
    assert again.header.game == name
    assert again.header.images == 8
    if isinstance(generator, Samples):
        assert (generator.sample(4, seed=1) == again.sample(4, seed=1)).all()
        assert (again.sample(4, seed=1)[:2] == again.sample(2, seed=1)).all(), "a longer draw begins with a shorter one"
    if isinstance(generator, Judges) and generator.judge is not None:
        x = match.source.batch(torch.arange(4).numpy()).x  # type: ignore[attr-defined]
        with torch.inference_mode():
            assert torch.equal(generator.score(x), again.score(x))


@every_game
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_plays_on_any_shape(name: str, shape: DataShape) -> None:
    game, source = tiny(name, shape)
    match = Match(game, source, PLAN, choose(PLAN), total=1000)
    match.play_round()
    generator = game.generator().eval()
    if isinstance(generator, Samples):
        assert generator.sample(3).shape == (3, shape.height, shape.width, shape.channels)


@every_game
def test_it_can_be_built_by_its_name(name: str) -> None:
    game_type, (_, source) = catalog.game(name), tiny(name)
    built = api.build(name, source, dataclasses.asdict(game_type.tiny), seed=3)
    again = api.build(name, source, dataclasses.asdict(game_type.tiny), seed=3)
    assert all(torch.equal(a, b) for a, b in zip(built.parameters(), again.parameters(), strict=True))


@every_game
def test_its_first_losses_are_the_recorded_ones(name: str) -> None:
    recorded = json.loads(golden.FILE.read_text(encoding="utf-8"))
    assert golden.losses(name) == pytest.approx(recorded[name], rel=1e-3), "meant? python -m tests.contract.golden"
