"""Speed of judging: how long a score takes, and whether Inception in bfloat16 says the same sooner."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from zerosum.bench._frame import Budget, Measure, measure
from zerosum.core.batch import Source
from zerosum.core.machine import cpu_features
from zerosum.core.pictures import to_uint8
from zerosum.data.avatars import avatars
from zerosum.features import inception
from zerosum.features.inception import Inception
from zerosum.metrics import pca_gaussian
from zerosum.metrics.frechet import frechet
from zerosum.metrics.panel import Panel

SEEDS = (0,)  # it trains nothing that is judged
DETERMINISTIC = False  # it measures seconds
JUDGED = {"smoke": 50, "quick": 1000, "full": 10_000}
TIMED = {"smoke": (1, 1), "quick": (16, 3), "full": (64, 5)}  # pictures that Inception looks at, and how often
COMPARED = {"smoke": 4, "quick": 64, "full": 2560}  # pictures on each side of a FID


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Times a panel whose real pictures are cached; times Inception in both precisions in turn; compares their FIDs."""
    small = budget == "smoke"
    source = avatars(64, count=64, heldout_count=64, progress=False) if small else avatars(64, progress=False)
    made = pca_gaussian.fit(source).images(max(JUDGED[budget], COMPARED[budget]), seed=1)
    seconds = _judging(source, to_uint8(made[: JUDGED[budget]]))
    real = source.batch(np.arange(min(COMPARED[budget], len(source)))).x  # type: ignore[attr-defined]
    plain, fast = inception.load(bf16=False), inception.load(bf16=True)
    ratios = _ratios(plain, fast, real[: TIMED[budget][0]], TIMED[budget][1])
    wanted, found = (_fid(net, real, made) for net in (plain, fast))
    native = cpu_features() & {"amx_bf16", "avx512_bf16"}
    full, amx = budget == "full", "amx_bf16" in native
    why = "too few pictures" if not full else "the figure is set for AMX, which this processor lacks"
    few = "" if full else "too few pictures"
    return [
        measure("scores", "seconds", [seconds], applies=full and amx, note="" if full and amx else why),
        measure(
            "scores",
            "inception_ratio",
            [statistics.median(ratios)],
            baseline=1.0,
            baseline_name="float32",
            applies=full and bool(native),
            note="" if full and native else few or "this processor does not multiply bfloat16",
        ),
        measure(
            "scores",
            "inception_error",
            [100 * abs(found - wanted) / wanted],
            baseline=wanted,
            baseline_name="FID in float32",
            applies=full,
            note=few,
        ),
    ]


def _judging(source: Source, pixels: np.ndarray) -> float:
    """Seconds for both KIDs and coverage, the start of a panel included that finds its real pictures in the cache."""
    Panel(source, n=len(pixels))
    begin = time.perf_counter()
    Panel(source, n=len(pixels)).score(pixels)
    return time.perf_counter() - begin


def _ratios(plain: Inception, fast: Inception, x: Tensor, repeats: int) -> list[float]:
    """How many times as long float32 takes as bfloat16, in turn, each pair's figure."""
    for net in (plain, fast):
        net.features(x)
    return [_seconds(plain, x) / _seconds(fast, x) for _ in range(repeats)]


def _seconds(net: Inception, x: Tensor) -> float:
    begin = time.perf_counter()
    net.features(x)
    return time.perf_counter() - begin


def _fid(net: Inception, real: Tensor, made: Tensor) -> float:
    return frechet(net.features(made[: len(real)]), net.features(real))
