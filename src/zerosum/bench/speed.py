"""Speed: our step against the plain loop of any tutorial, in one process and in turn; and what the trainer adds."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim import Adam

from zerosum import api
from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core.batch import Images, Source
from zerosum.core.game import Clock
from zerosum.core.machine import choose, cpu_features
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.games.dcgan import DCGAN
from zerosum.training.screen import Bar
from zerosum.training.trainer import Training

BATCH = 64
SEEDS = (0,)  # it trains nothing that is judged
DETERMINISTIC = False  # it measures seconds


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Measures the ratio to the plain loop, the trainer's overhead, and how soon `--help` answers."""
    rounds, repeats = {"smoke": (1, 1), "quick": (4, 3), "full": (10, 7)}[budget]
    source = avatars(64, count=256, heldout_count=64, progress=False)
    with tempfile.TemporaryDirectory() as folder:
        ours = our_step(source, Path(folder))
        ratios = _ratios(plain_step(source), ours, rounds, repeats)
        overheads = [100 * (ratio - 1) for ratio in _ratios(ours, bare_step(source), rounds, repeats)]
    amx = "amx_bf16" in cpu_features()
    why = "" if amx else "the figure is set for AMX, which this processor lacks"
    return [
        measure(
            "speed",
            "ratio",
            [statistics.median(ratios)],
            baseline=1.0,
            baseline_name="plain loop",
            applies=amx,
            note=why,
        ),
        measure("speed", "overhead", [statistics.median(overheads)], baseline=0.0, baseline_name="bare step"),
        measure("speed", "help_seconds", [statistics.median(_help_seconds(repeats))]),
    ]


def _ratios(one: Callable[[], None], other: Callable[[], None], rounds: int, repeats: int) -> list[float]:
    """How many times as long `one` takes as `other`, in turn, each pair's figure."""
    one()
    other()
    return [_seconds(one, rounds) / _seconds(other, rounds) for _ in range(repeats)]


def _seconds(step: Callable[[], None], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        step()
    return time.perf_counter() - begin


def _help_seconds(repeats: int) -> list[float]:
    def ask() -> None:
        subprocess.run([sys.executable, "-m", "zerosum", "--help"], stdout=subprocess.DEVNULL, check=True)

    ask()
    return [_seconds(ask, 1) for _ in range(repeats)]


def _game(source: Source) -> DCGAN:
    game = api.build("dcgan", source, {}, seed=0)
    assert isinstance(game, DCGAN)
    return game


def plain_step(source: Source) -> Callable[[], None]:
    """Radford's networks, float32, default layout, one fake batch for both losses, as tutorials write it."""
    game = _game(source)
    G, D = game.G, game.D
    toward = nn.BCEWithLogitsLoss()
    G_adam, D_adam = Adam(G.parameters(), 2e-4, (0.5, 0.999)), Adam(D.parameters(), 2e-4, (0.5, 0.999))
    real, one, zero = source.batch(torch.arange(BATCH).numpy()), torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    assert isinstance(real, Images)
    x = real.x.contiguous()

    def step() -> None:
        D.zero_grad()
        toward(D(x), one).backward()
        fake = G(torch.randn(BATCH, 100))
        toward(D(fake.detach()), zero).backward()
        D_adam.step()
        G.zero_grad()
        toward(D(fake), one).backward()
        G_adam.step()

    return step


def our_step(source: Source, folder: Path) -> Callable[[], None]:
    """One round as the trainer plays it, with keys, notes, average, bar and, in every third, a line in the log."""
    never = 10**12
    plan = Plan(images=never, score=0, batch=BATCH, log=3 * BATCH, grid=never, save=never)
    training = Training(_game(source), source, Run(folder / "run"), plan, Bar(never))
    training.screen.start(never, 0)
    return training.play_round


def bare_step(source: Source) -> Callable[[], None]:
    """The same arithmetic with nothing around it: fixed pictures, no keys, no notes, no average."""
    game, machine = _game(source), choose(Plan())
    machine.take(game)
    batch = source.batch(torch.arange(BATCH).numpy()).to("cpu", machine.memory_format)
    adams = {name: player.optimizer(player.parameters()) for name, player in game.players().items()}
    clock = Clock(total=1)

    def move(net: nn.Module, other: nn.Module, loss: Callable, adam: torch.optim.Optimizer) -> None:
        net.requires_grad_(True)
        other.requires_grad_(False)
        adam.zero_grad()
        with machine.autocast():
            value, _ = loss(batch, clock)
        value.backward()
        adam.step()

    def step() -> None:
        move(game.D, game.G, game.D_loss, adams["D"])
        move(game.G, game.D, game.G_loss, adams["G"])

    return step
