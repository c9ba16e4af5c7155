"""Row faults: kill -9 at random moments loses at most the work since the last checkpoint, and never the run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core import checkpoint
from zerosum.core.errors import Refusal
from zerosum.core.pictures import to_pil
from zerosum.core.run import Run
from zerosum.data.avatars import avatars

KILLS = {"smoke": 1, "quick": 10, "full": 50}
ROUNDS = {"smoke": 20, "quick": 1500, "full": 8000}
BATCH = 8
SEEDS = (0,)  # decides the moments; the run that is killed is one


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Kills one run again and again, lets it end, and compares it with one that nothing disturbed."""
    lost, struck = _lost(KILLS[budget], ROUNDS[budget], seeds[0])
    return [measure("faults", "lost", [lost]), measure("faults", "kills", [struck], applies=budget == "full")]


def _lost(kills: int, rounds: int, seed: int) -> tuple[float, float]:
    """How many kills lost a checkpoint or left a run that would not resume, one more if the end is not the same; and
    how many of the kills found the run alive."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as parent:
        whole, struck = Path(parent, "whole"), Path(parent, "struck")
        _draw(Path(parent, "faces"))
        if _start(whole, rounds).wait() != 0:
            raise Refusal("the undisturbed run did not end well: nothing can be compared. Try `zerosum doctor`.")
        ends = [_strike(struck, rounds, moments) for _ in range(kills)]
        lost, alive = ends.count("lost"), len(ends) - ends.count("over")
        if _start(struck, rounds).wait() != 0 or not Run(struck).is_finished:
            return lost + 1.0, float(alive)
        return lost + float(_hashes(whole) != _hashes(struck) or _log(whole) != _log(struck)), float(alive)


def _draw(folder: Path) -> None:
    """64 faces as files."""
    folder.mkdir()
    source = avatars(32, count=64, heldout_count=0, progress=False)
    for number, pixels in enumerate(source.pixels(np.arange(64))):
        to_pil(pixels).save(folder / f"{number}.png")


def _strike(folder: Path, rounds: int, moments: random.Random) -> Literal["kept", "lost", "over"]:
    """Starts the run and kills it at a random moment. Lost: it had refused, or its newest checkpoint went back."""
    before = _newest(folder)
    process = _start(folder, rounds)
    time.sleep(moments.uniform(1.0, 5.0))
    ended = process.poll()
    process.kill()
    process.wait()
    if ended == 0:
        return "over"
    return "lost" if ended is not None or _newest(folder) < before else "kept"


def _start(folder: Path, rounds: int) -> subprocess.Popen:
    settings = ["--resolution", "32", "--width", "4", "--z", "8", "--batch", str(BATCH), "--save", str(50 * BATCH)]
    images = ["--images", str(rounds * BATCH), "--score", "0", "--run", str(folder), "--json"]
    command = [sys.executable, "-m", "zerosum", "train", "dcgan", str(folder.parent / "faces"), *settings, *images]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _newest(folder: Path) -> int:
    found, _ = checkpoint.newest(folder / "state")
    return int(found.path.name) if found else 0


def _hashes(folder: Path) -> dict[str, str]:
    """The hashes of the last checkpoint's tensors."""
    found, _ = checkpoint.newest(folder / "state")
    assert found is not None
    manifest = json.loads((found.path / checkpoint.MANIFEST).read_text(encoding="utf-8"))
    return {name: value for name, value in manifest.items() if name.endswith(".safetensors")}


def _log(folder: Path) -> bytes:
    return (folder / "log.jsonl").read_bytes()
