"""Row diagnose: sabotaged runs are named by their fault, and healthy ones are not accused.

What was recorded of the runs lies in records/diagnose.json.gz, so that the rules can be judged again in seconds;
`python -m zerosum.bench.diagnose` plays what is missing, with `--fresh` all of it.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zerosum import api
from zerosum.bench._frame import FOLDER, Budget, Measure, measure, record, recorded
from zerosum.core.batch import Images, Source
from zerosum.core.game import Clock, Game, Moves, Turn
from zerosum.core.generator import Generator
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.catalog import open_data
from zerosum.data.pictures import Pictures
from zerosum.training import trainer
from zerosum.training.monitor import diagnose, standing
from zerosum.training.record import Record

SEEDS = (0,)  # those of the runs stand in diagnose.toml
BATTERY = tomllib.loads((FOLDER / "diagnose.toml").read_text(encoding="utf-8"))
SIZE, IMAGES = 32, 12_800  # 400 rounds
LONGER = {"class_dropped": 3.0}  # times the images: a healthy generator comes to its classes one by one
KEPT = ("game", "config", "plan", "parameters", "moves", "makes", "restraint", "total")  # of run.json
ACCUSING = ("fault", "warning")
Case = tuple[str, str, str, str, int]  # part, name, game, data, seed


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """The recorded runs of the part `judged`, judged by the rules as they now are. Smoke: two runs, made for it."""
    if budget == "smoke":
        with tempfile.TemporaryDirectory() as folder:
            made = [("judged", name, "house", "avatars", 0) for name in ("overflow", "plain")]
            entries = [{"case": case, **play(case, Path(folder), images=2_000)} for case in made]
    else:
        entries = [entry for entry in recorded("diagnose") if entry["case"][0] == "judged"]
    named, accused = verdicts(entries)
    live = [accused_live(entry) for entry in entries if entry["case"][1] in BATTERY["healthy"]]
    return [
        measure("diagnose", "named", [100 * float(np.mean(named))]),
        measure("diagnose", "accused", [100 * float(np.mean(accused))]),
        measure("diagnose", "accused_live", [100 * float(np.mean(live))]),
        measure("diagnose", "sabotaged", [float(len(named))]),
        measure("diagnose", "healthy", [float(len(accused))]),
    ]


def verdicts(entries: Sequence[dict]) -> tuple[list[bool], list[bool]]:
    """Of the sabotaged runs, whether the first accusation is the right one; of the healthy, whether there is any."""
    named, accused = [], []
    for entry in entries:
        first, name = first_accusation(entry), entry["case"][1]
        if name in BATTERY["sabotages"]:
            named.append(first in BATTERY["sabotages"][name])
        else:
            accused.append(first is not None)
    return named, accused


def first_accusation(entry: dict) -> str | None:
    """The kind of the first finding that is a fault or a warning."""
    found = diagnose(Record(entry["info"], entry["data"], entry["looks"], []))
    return next((finding.kind for finding in found if finding.severity in ACCUSING), None)


def accused_live(entry: dict) -> bool:
    """Whether anything but notes was said at any look while the run went on."""
    record = Record(entry["info"], entry["data"], entry["looks"], [])
    while record.looks:
        stand, found = standing(record), diagnose(record)
        if any(finding.kind in stand and finding.severity in ACCUSING for finding in found):
            return True
        record = record.before()
    return False


def cases(part: str) -> list[Case]:
    """Every run of a part, but for those that could show nothing."""
    names = [*BATTERY["sabotages"], *BATTERY["healthy"]]
    nothing = BATTERY["nothing_to_see"]
    return [
        (part, name, game, data, seed)
        for name in names
        for game, data, seed in BATTERY[part]["rooms"]
        if data not in nothing.get(name, ())
    ]


# ------------------------------------------------------------------------------------------------------ making them


def play(case: Case, folder: Path, images: int = IMAGES) -> dict:
    """Trains one run of the battery, and returns what the rules read of it."""
    _, name, game_name, data, seed = case
    source = _source(name, data, seed)
    plan, settings = _given(name, game_name, seed, images)
    game = api.build(game_name, source, settings, seed)
    SABOTAGES.get(name, _leave)(game, source)
    run = Run(folder / "-".join(map(str, case)))
    begin = time.monotonic()
    try:
        trainer.train(game, _Late(source) if name == "starved" else source, run, plan)
    except api.Refusal as refusal:
        print(f"  {refusal}")
    shown = Record.of(run)
    keep = {key: shown.info.get(key) for key in KEPT}
    looks = [{key: _rounded(value) for key, value in look.items()} for look in shown.looks]
    print(f"{name:<22}{game_name:<8}{data:<16}{time.monotonic() - begin:5.0f} s", flush=True)
    return {"info": keep, "data": shown.data, "looks": looks}


def _source(name: str, data: str, seed: int) -> Pictures:
    source = open_data(data, SIZE, progress=False)
    assert isinstance(source, Pictures)
    if data == "fruit":  # of which a third are exact copies: a fault of its own
        pixels = source.pixels(np.arange(len(source))).reshape(len(source), -1)
        source = source.subset(np.sort(np.unique(pixels, axis=0, return_index=True)[1]))
    order = np.random.default_rng(seed).permutation(len(source))
    if name == "forty_pictures":
        return source.subset(order[:40])
    if name == "tiny_set":
        return source.subset(order[:120])
    if name == "copied_set":
        return source.subset(np.repeat(order[:400], 4))
    return source


def _given(name: str, game: str, seed: int, images: int) -> tuple[Plan, dict[str, Any]]:
    """Plan and settings: those of the battery for this game, but for what the case changes."""
    factor, usual = BATTERY["healthy"].get(name, {}), BATTERY["settings"][game]
    rate = usual["rate"] * {"rate_x300": 300, "rate_over_100": 0.01}.get(name, factor.get("rate", 1))
    images = round(images * factor.get("images", LONGER.get(name, 1)))
    plan = Plan(images=images, batch=round(32 * factor.get("batch", 1)), seed=seed, score=0)
    return plan, usual | {"width": round(usual["width"] * factor.get("width", 1)), "rate": rate}


def _leave(game: Game, source: Pictures) -> None:
    """A run that nothing is done to."""


def _strong(game: Game, source: Pictures) -> None:
    """D plays eight times a round, with no penalty, and G at a fifth of its rate."""
    turns = [replace(t, times=8) if t.players == "D" else t for t in game.turns() if t.every == 1]
    players = game.players()
    players["G"] = replace(players["G"], rate=lambda clock: 0.2)
    game.turns, game.players = lambda: turns, lambda: players  # type: ignore[method-assign]


def _frozen(game: Game, source: Pictures) -> None:
    """D has no turn; the first turn left draws."""
    turns = [replace(turn, draws=True) for turn in game.turns() if turn.players != "D"]
    game.turns = lambda: turns  # type: ignore[method-assign]


def _constant(game: Game, source: Pictures) -> None:
    """G sees one latent, and one label where it takes any, whatever it is given."""
    game.G.register_forward_pre_hook(lambda _, given: tuple(_one(x) for x in given))  # type: ignore[operator, union-attr]


def _sigmoid(game: Game, source: Pictures) -> None:
    """G spans [0, 1]."""
    game.G.register_forward_hook(lambda _, given, made: (made + 1) / 2)  # type: ignore[operator, union-attr]


def _dropped(game: Game, source: Pictures) -> None:
    """The discriminator never sees the class that is commonest."""
    labels = source.labels(np.arange(len(source)))
    assert labels is not None
    commonest = int(np.bincount(labels[:, 0]).argmax())
    turns = [replace(turn, loss=_without(turn, commonest)) for turn in game.turns()]
    game.turns = lambda: turns  # type: ignore[method-assign]


def _without(turn: Turn, code: int) -> Callable[[Images, Clock], Moves | None]:
    def loss(batch: Images, clock: Clock) -> Moves | None:
        assert batch.y is not None
        kept = batch.y[:, 0] != code
        return turn.loss(Images(batch.x[kept], batch.y[kept]), clock)

    return loss


def _swapped(game: Game, source: Pictures) -> None:
    """What leaves the generator has blue first; in play it has not."""
    whole = game.generator

    def generator() -> Generator:
        made = whole()
        made.register_forward_hook(lambda _, given, pictures: pictures.flip(1))
        return made

    game.generator = generator  # type: ignore[method-assign]


def _overflow(game: Game, source: Pictures) -> None:
    """One loss in ten is beyond all numbers."""
    turns = [replace(turn, loss=_at_times(turn)) for turn in game.turns()]
    game.turns = lambda: turns  # type: ignore[method-assign]


def _at_times(turn: Turn) -> Callable[[Images, Clock], Moves | None]:
    def loss(batch: Images, clock: Clock) -> Moves | None:
        moves = turn.loss(batch, clock)
        if moves is None or not isinstance(moves[0], Tensor):
            return moves
        return moves[0] * (float("inf") if torch.rand(()) < 0.1 else 1.0), moves[1]

    return loss


def _one(x: Tensor) -> Tensor:
    """So many times the same row: the first unit vector."""
    same = torch.zeros_like(x)
    same[:, 0] = 1
    return same


SABOTAGES: dict[str, Callable[[Game, Pictures], None]] = {
    "strong_discriminator": _strong,
    "frozen_discriminator": _frozen,
    "constant_latents": _constant,
    "class_dropped": _dropped,
    "channels_swapped": _swapped,
    "sigmoid": _sigmoid,
    "overflow": _overflow,
}


class _Late:
    """A source that comes from a slow disk."""

    def __init__(self, source: Source):
        self._source = source
        self.name, self.shape, self.holds, self.fingerprint = (
            source.name,
            source.shape,
            source.holds,
            source.fingerprint,
        )
        self.heldout = source.heldout

    def __len__(self) -> int:
        return len(self._source)

    def batch(self, indices: np.ndarray) -> Any:
        time.sleep(0.08 if len(indices) <= 64 else 0)
        return self._source.batch(indices)


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    torch.set_num_threads(1)
    parts = [word for word in sys.argv[1:] if not word.startswith("-")] or ["set", "judged"]
    record("diagnose", (case for part in parts for case in cases(part)), play, fresh="--fresh" in sys.argv)
