"""Speed: our step against the plain loop of any tutorial, in one process and in turn; what the trainer adds; house's
step against what the machine can do; what a pixel costs; and how soon a command begins its work."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim import Adam

from zerosum import api
from zerosum.bench._costs import Noise
from zerosum.bench._flops import flops
from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core.batch import DataShape, Images, Source
from zerosum.core.game import Clock
from zerosum.core.machine import choose, cpu_features
from zerosum.core.pictures import save_png, to_pil, to_uint8
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.games.dcgan import DCGAN
from zerosum.training.match import Match
from zerosum.training.recipe import complete
from zerosum.training.screen import Bar
from zerosum.training.trainer import Training

BATCH = 64
SEEDS = (0,)  # it trains nothing that is judged
DETERMINISTIC = False  # it measures seconds


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Measures steps, what a pixel costs, and starts."""
    rounds, repeats = {"smoke": (1, 1), "quick": (4, 3), "full": (10, 7)}[budget]
    source = avatars(64, count=256, heldout_count=64, progress=False)
    return [
        *_steps(source, rounds, repeats),
        *_costs(source, rounds, repeats, budget),
        *_starts(source, budget, repeats),
    ]


def _steps(source: Source, rounds: int, repeats: int) -> list[Measure]:
    """Radford's networks against the plain loop, and the trainer against nothing around it."""
    with tempfile.TemporaryDirectory() as folder:
        ours = our_step(source, Path(folder))
        ratios = _ratios(plain_step(source), ours, rounds, repeats)
        overheads = [100 * (ratio - 1) for ratio in _ratios(ours, bare_step(source), rounds, repeats)]
    amx = "amx_bf16" in cpu_features()
    why = "" if amx else "the figure is set for AMX, which this processor lacks"
    return [
        measure("speed", "ratio", [statistics.median(ratios)], baseline=1.0, baseline_name="plain loop", applies=amx,
                note=why),
        measure("speed", "overhead", [statistics.median(overheads)], baseline=0.0, baseline_name="bare step"),
    ]  # fmt: skip


def _costs(source: Source, rounds: int, repeats: int, budget: Budget) -> list[Measure]:
    """How much of the machine's rate in matrix products house's step takes, and how its time grows with the pixels."""
    step, product = match(source).play_round, matrix_product(2048 if budget != "smoke" else 64)
    cycle = 1 if budget == "smoke" else 16  # rounds, of which one takes R1
    rate = flops(product, 1) / statistics.median(_seconds(product, rounds) / rounds for _ in range(repeats))
    step()
    spent = statistics.median(_seconds(step, cycle) for _ in range(repeats))
    sides = (32, 64) if budget == "smoke" else (64, 128, 256)
    seconds = [_seconds_of_side(side, rounds) for side in sides]
    exponent = float(np.polyfit(np.log(np.square(sides)), np.log(seconds), 1)[0])
    return [
        measure("speed", "share", [100 * flops(step, cycle) / spent / rate], baseline=rate / 1e12,
                baseline_name="TFLOP/s in a product of two 2048 x 2048 matrices"),
        measure("speed", "pixels", [exponent]),
    ]  # fmt: skip


def _seconds_of_side(side: int, rounds: int) -> float:
    """What a round of house takes on pictures of so many pixels a side: the median of a few."""
    step = match(Noise(Images, DataShape(side, side))).play_round
    step()
    return statistics.median(_seconds(step, 1) for _ in range(max(1, rounds // 2)))


def match(source: Source) -> Match:
    """House at its own settings, ready for its first round."""
    game = api.build("house", source, {}, seed=0)
    plan = complete(game, Plan(device="cpu"))
    return Match(game, source, plan, choose(plan), total=10**12)


def matrix_product(side: int) -> Callable[[], None]:
    """The product of two square matrices in the arithmetic that a run on the processor would take here."""
    machine = choose(Plan(device="cpu"))
    one = torch.randn(side, side, dtype=machine.dtype)
    return lambda: (torch.mm(one, one), None)[1]


def _starts(source: Source, budget: Budget, repeats: int) -> list[Measure]:
    """How soon `--help` answers, a new run takes its first step, and pictures of a saved run are drawn."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved.safetensors"
        match(source).game.generator().save(saved)
        data = ["avatars", "--images", "100000", "--runs"]
        if budget == "smoke":  # the avatars may have to be drawn first, which takes a minute
            data = [str(_pictures(source, Path(folder) / "photos")), "--images", "64", "--score", "0", "--runs"]
        asked = {
            "help_seconds": lambda n: ["-m", "zerosum", "--help"],
            "first_step_seconds": lambda n: ["-c", FIRST_STEP, "train", *data, f"{folder}/runs-{n}"],
            "sample_seconds": lambda n: ["-m", "zerosum", "sample", str(saved), "-n", "64"],
        }
        return [measure("speed", name, [statistics.median(_answers(ask, repeats))]) for name, ask in asked.items()]


def _pictures(source: Source, folder: Path) -> Path:
    batch = source.batch(np.arange(8))
    assert isinstance(batch, Images)
    folder.mkdir()
    for number, pixels in enumerate(to_uint8(batch.x)):
        save_png(to_pil(pixels), folder / f"{number}.png")
    return folder


FIRST_STEP = """
import os, sys
from zerosum.training.match import Match
play = Match.play_round
Match.play_round = lambda match: (play(match), os._exit(0))
from zerosum.cli import main
main(sys.argv[1:])
"""


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


def _answers(command: Callable[[int], Sequence[str]], repeats: int) -> list[float]:
    """Seconds that each of so many commands takes in a process of its own; the first, before them, does not count."""

    def ask(number: int) -> None:
        line = [sys.executable, *command(number)]
        subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    return [_seconds(partial(ask, number), 1) for number in range(repeats + 1)][1:]


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
