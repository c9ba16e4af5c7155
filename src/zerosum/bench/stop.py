"""Row stop: on recorded runs, the snapshot that patience keeps is as good as the best, and it stops in time.

The curves are kept in bench/records/stop.json; `python -m zerosum.bench.stop` records those that are missing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from zerosum import api
from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core.generator import load
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.catalog import open_data
from zerosum.data.pictures import Pictures
from zerosum.metrics.panel import Panel
from zerosum.training import trainer
from zerosum.training.patience import chosen, error, outlook, score

RECORDS = Path("bench/records/stop.json")
SEEDS = (0,)  # each recorded run has its own
GAMES, DATA, COUNTS = ("dcgan", "house"), ("avatars", "fashion_mnist", "cifar10", "emoji", "quickdraw"), (400, 3000)
SIZE, IMAGES, SAVES, JUDGED = 32, 40_000, 25, 500
Case = tuple[str, str, int]  # game, data, pictures


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Plays each recorded curve again to the rule, snapshot by snapshot."""
    if budget == "smoke":
        with tempfile.TemporaryDirectory() as folder:
            record(("house", "avatars", 400), Path(folder), images=4 * 512, saves=4)
    ends = [replay(entry["lines"]) for entry in _records()]
    within, late = [end[0] for end in ends], [end[1] for end in ends]
    return [
        measure("stop", "within", [100 * float(np.mean(within))]),
        measure("stop", "images", [max(late)]),
        measure("stop", "stopped", [float(sum(end[2] for end in ends))]),
        measure("stop", "curves", [float(len(ends))]),
    ]


def replay(lines: Sequence[dict]) -> tuple[bool, float, bool]:
    """Whether the kept snapshot's score is within one standard error of the oracle's; the images at the stop over the
    oracle's; whether it stopped before the end. The oracle is the best of the whole recorded run."""
    oracle = min(lines, key=score)
    seen = next((lines[:k] for k in range(1, len(lines)) if outlook(lines[:k]).state in ("done", "stuck")), lines)
    kept = chosen(seen)
    assert kept is not None
    within = score(kept) <= score(oracle) + error(oracle)
    return within, seen[-1]["images"] / oracle["images"], len(seen) < len(lines)


# -------------------------------------------------------------------------------------------------- recording them


def record(case: Case, folder: Path, images: int = IMAGES, saves: int = SAVES) -> dict:
    """Trains a run and scores each of its snapshots, by the untrained judge and coverage."""
    game, data, count = case
    source = open_data(data, SIZE, progress=False)
    assert isinstance(source, Pictures)
    few = source.subset(np.random.default_rng(1).permutation(len(source))[:count])
    plan = Plan(images=images, batch=32, save=images // saves, keep=10**6, score=0)
    run = Run(folder / "-".join(map(str, case)))
    trainer.train(api.build(game, few, {"width": 16, "z": 64, "rate": 1e-3}, seed=0), few, run, plan)
    panel = Panel(few, n=min(JUDGED, count), judges=("random",))
    lines = [_scored(panel, path) for path in run.snapshots]
    print(*case, [round(score(line), 3) for line in lines], flush=True)
    return {"game": game, "data": data, "count": count, "lines": lines}


def _scored(panel: Panel, path: Path) -> dict:
    generator = load(path)
    scores = panel.score(generator.sample(JUDGED, seed=1))
    kept = {name: scores[name] for name in ("kid_random", "coverage", "verdict")}
    return {"images": generator.header.images, "snapshot": path.name, **kept}


def _records() -> list[dict]:
    return json.loads(RECORDS.read_text(encoding="utf-8")) if RECORDS.is_file() else []


def make() -> None:
    """Records the curves that are missing."""
    kept = _records()
    done = {(entry["game"], entry["data"], entry["count"]) for entry in kept}
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for case in ((g, d, c) for g in GAMES for d in DATA for c in COUNTS):
            if case not in done:
                kept.append(record(case, Path(folder)))
                lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in kept)
                RECORDS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make()
