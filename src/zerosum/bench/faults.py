"""Row faults: kill -9 at random moments loses at most the work since the last checkpoint, and never the run."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch

from zerosum import cli
from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core import checkpoint
from zerosum.core.errors import Refusal
from zerosum.core.pictures import to_pil
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.training import judging

KILLS = {"smoke": 1, "quick": 10, "full": 200}
ROUNDS = {"smoke": 20, "quick": 200, "full": 2000}
BATCH = 8
PICTURES = 64
SAVE, LOG = 5, 1  # rounds: so often that many kills fall into saving and scoring
PLAYING = 2.5  # times the seconds from one save to the next: the time of play within which most kills fall
STARTING = 0.5  # seconds from a start within which every eighth falls
PATIENCE = 120.0  # seconds after which a start that does not play counts as lost
SEEDS = (0,)  # decides the moments; the run that is killed is one
DETERMINISTIC = False  # what a kill falls into is the machine's to say


@dataclass(frozen=True)
class End:
    """What a kill found and left."""

    alive: bool = True
    lost: bool = False
    amid: bool = False  # a save or a scoring was under way


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Kills one run again and again, lets it end, and compares it with one that nothing disturbed."""
    ends, differs = _played(KILLS[budget], ROUNDS[budget], seeds[0])
    counts = Counter(name for end in ends for name in ("alive", "lost", "amid") if getattr(end, name))
    full = budget == "full"
    return [
        measure("faults", "lost", [float(counts["lost"] + differs)]),
        measure("faults", "kills", [float(counts["alive"])], applies=full, note="" if full else "too few kills"),
        measure("faults", "amid", [float(counts["amid"])], applies=full, note="" if full else "too few kills"),
    ]


def _played(kills: int, rounds: int, seed: int) -> tuple[list[End], bool]:
    """What became of each kill, and whether the run that was killed ended otherwise than the undisturbed one."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as parent:
        whole, struck = Path(parent, "whole"), Path(parent, "struck")
        _draw(Path(parent, "faces"))
        if not _is_done(_start(whole, rounds)):
            raise Refusal("the undisturbed run did not end well: nothing can be compared. Try `zerosum doctor`.")
        window = PLAYING * _cycle(whole, rounds // SAVE)
        ends = [_strike(struck, rounds, moments, window) for _ in range(kills)]
        if not _is_done(_start(struck, rounds)) or not Run(struck).is_finished:
            return ends, True
        return ends, _results(whole) != _results(struck)


def _draw(folder: Path) -> None:
    """Faces as files."""
    folder.mkdir()
    source = avatars(32, count=PICTURES, heldout_count=0, progress=False)
    for number, pixels in enumerate(source.pixels(np.arange(PICTURES))):
        to_pil(pixels).save(folder / f"{number}.png")


def _strike(folder: Path, rounds: int, moments: random.Random, window: float) -> End:
    """Starts the run and kills it at a random moment. Lost: it had refused, or its newest checkpoint went back."""
    before, undone = _newest(folder), _undone(folder)
    in_start, moment = moments.random() < 1 / 8, moments.random()
    process, began = _start(folder, rounds), _mark(folder)
    if in_start:
        time.sleep(moment * STARTING)
    else:
        plays = _await_play(folder, began, process)
        time.sleep(moment * window if plays else 0)
    ended = process.exitcode
    process.kill()
    process.join()
    if ended == 0:
        return End(alive=False)
    went_back = ended is not None or _newest(folder) < before
    never_played = not in_start and _mark(folder) == began
    return End(alive=ended is None, lost=went_back or never_played, amid=not _undone(folder) <= undone)


def _start(folder: Path, rounds: int) -> BaseProcess:
    """The run in a process of its own, forked from one that has imported all it needs: 200 starts take minutes."""
    settings = ["--resolution", "32", "--width", "4", "--z", "8", "--batch", str(BATCH), "--score", "50"]
    often = ["--save", str(SAVE * BATCH), "--log", str(LOG * BATCH), "--images", str(rounds * BATCH)]
    argv = ["train", "dcgan", str(folder.parent / "faces"), *settings, *often, "--run", str(folder), "--json"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["zerosum.bench.faults", "zerosum.cli.train", "torch._dynamo"])
    process = context.Process(target=_train, args=(argv, str(folder.parent / "cache")))
    process.start()
    return process


def _train(argv: list[str], cache: str) -> None:
    """What the process does: the command, silently, on one core, judged by the untrained judge alone."""
    os.environ["ZEROSUM_CACHE"] = cache
    torch.set_num_threads(1)
    judging.JUDGES = ("random",)
    said = os.open(Path(cache).with_name("said.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.exit(cli.main(argv))


def _is_done(process: BaseProcess) -> bool:
    """Waits for the run's end; whether it ended well."""
    process.join()
    return process.exitcode == 0


def _cycle(folder: Path, saves: int) -> float:
    """Seconds from one save to the next, by the times of the files that a run draws first and last."""
    begin, end = (path.stat().st_mtime for path in (folder / "reals.png", Run(folder).snapshots[-1]))
    return (end - begin) / saves


def _mark(folder: Path) -> tuple[int, int] | None:
    """Changes when a run begins to play: the log is written anew on resuming, and goes on from there."""
    try:
        log = (folder / "log.jsonl").stat()
    except FileNotFoundError:
        return None
    return log.st_ino, log.st_mtime_ns


def _await_play(folder: Path, before: tuple[int, int] | None, process: BaseProcess) -> bool:
    """Until the run plays; False if it has ended, or will not."""
    begin = time.monotonic()
    while _mark(folder) == before:
        if process.exitcode is not None or time.monotonic() - begin > PATIENCE:
            return False
        time.sleep(0.002)
    return True


def _undone(folder: Path) -> set[tuple[str, int]]:
    """What saves and scorings have left undone: files half written, and snapshots that no checkpoint has followed."""
    newest = _newest(folder)
    behind = [path for path in Run(folder).snapshots if int(path.stem.rpartition("-")[2]) > newest]
    halves = [*folder.glob(".snapshot-*.tmp"), *folder.glob(".best*.tmp"), *folder.glob("state/.*.tmp")]
    return {(path.name, path.stat().st_mtime_ns) for path in [*behind, *halves]}


def _newest(folder: Path) -> int:
    found, _ = checkpoint.newest(folder / "state")
    return int(found.path.name) if found else 0


def _results(folder: Path) -> list:
    """What must be the same: the last checkpoint's tensors, the logs, the scores, the snapshots and the pictures."""
    found, _ = checkpoint.newest(folder / "state")
    assert found is not None
    tensors = {name: value for name, value in found.hashes.items() if name.endswith(".safetensors")}
    run = Run(folder)
    files = [folder / "log.jsonl", folder / "metrics.jsonl", run.best, *run.snapshots, *run.grids]
    return [tensors, *((file.name, file.read_bytes()) for file in files)]
