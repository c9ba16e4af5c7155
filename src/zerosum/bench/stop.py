"""Row stop: on recorded runs, the snapshot that patience keeps is as good as the best, and it stops in time.

The rule was set on the curves of the part `set`, and is judged on those of the part `judged`: other pictures, other
seeds, three sets of data of its own. They lie in records/stop.json.gz; `python -m zerosum.bench.stop` plays what is
missing, with `--fresh` all of it.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from zerosum import api
from zerosum.bench._frame import Budget, Measure, measure, record, recorded
from zerosum.core.generator import load
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.catalog import open_data
from zerosum.data.pictures import Pictures
from zerosum.metrics.panel import Panel
from zerosum.training import trainer
from zerosum.training.patience import chosen, error, outlook, score

SEEDS = (0,)  # each recorded run has its own
GAMES = ("dcgan", "house")
DATA = {
    "set": ("avatars", "fashion_mnist", "cifar10", "emoji", "quickdraw"),
    "judged": ("mnist", "fruit", "dsprites", "avatars", "cifar10"),
}
COUNTS, FIRST_SEED = {"set": (400, 3000), "judged": (300, 1500)}, {"set": 0, "judged": 20}
SIZE, IMAGES, SAVES, JUDGED = 32, 40_000, 25, 500
Case = tuple[str, str, str, int]  # part, game, data, pictures


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Plays each recorded curve again to the rule, snapshot by snapshot. Smoke: one short curve, made for it."""
    if budget == "smoke":
        with tempfile.TemporaryDirectory() as folder:
            entries = [play(("judged", "house", "avatars", 300), Path(folder), images=4 * 512, saves=4)]
    else:
        entries = [entry for entry in recorded("stop") if entry["case"][0] == "judged"]
    ends = [replay(entry["lines"]) for entry in entries]
    return [
        measure("stop", "within", [100 * float(np.mean([end[0] for end in ends]))]),
        measure("stop", "images", [max(end[1] for end in ends)]),
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


def play(case: Case, folder: Path, images: int = IMAGES, saves: int = SAVES) -> dict:
    """Trains a run and scores each of its snapshots, by the untrained judge and coverage."""
    part, game, data, count = case
    seed = FIRST_SEED[part]
    source = open_data(data, SIZE, progress=False)
    assert isinstance(source, Pictures)
    few = source.subset(np.random.default_rng(seed + 1).permutation(len(source))[:count])
    plan = Plan(images=images, batch=32, save=images // saves, keep=10**6, score=0, seed=seed)
    run = Run(folder / "-".join(map(str, case)))
    trainer.train(api.build(game, few, {"width": 16, "z": 64, "rate": 1e-3}, seed), few, run, plan)
    panel = Panel(few, n=min(JUDGED, count), judges=("random",))
    lines = [_scored(panel, path) for path in run.snapshots]
    print(*case, [round(score(line), 3) for line in lines], flush=True)
    return {"lines": lines}


def _scored(panel: Panel, path: Path) -> dict:
    generator = load(path)
    scores = panel.score(generator.sample(JUDGED, seed=1))
    kept = {name: scores[name] for name in ("kid_random", "coverage", "verdict")}
    return {"images": generator.header.images, "snapshot": path.name, **kept}


if __name__ == "__main__":
    torch.set_num_threads(1)
    cases = [(part, *case) for part in DATA for case in itertools.product(GAMES, DATA[part], COUNTS[part])]
    record("stop", cases, play, fresh="--fresh" in sys.argv)
