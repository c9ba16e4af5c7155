"""Row intake: how long a folder of photographs takes to become training data, at the first start and at the second."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from PIL import Image

from zerosum.bench._frame import Budget, Measure, measure
from zerosum.data.folder import folder
from zerosum.data.pictures import Pictures, in_parallel

NUM = {"smoke": 40, "quick": 1_000, "full": 10_000}
SIDE, RESOLUTION, QUALITY = 350, 64, 85
SEEDS = (0,)  # it trains nothing that is judged
DETERMINISTIC = False  # it measures seconds
_FIELDS, _FIELD_SIDE = 16, 512


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Makes JPEGs, takes them in with an empty cache, again with a full one, and by the loop that anyone writes."""
    num = NUM[budget]
    with tempfile.TemporaryDirectory() as place, mock.patch.dict(os.environ, {"ZEROSUM_CACHE": f"{place}/cache"}):
        photographs = Path(place, "photographs")
        make_photographs(photographs, num, seeds[0])
        first = _seconds(lambda: _complete(folder(photographs, RESOLUTION, progress=False), num))
        plain = _seconds(lambda: plain_loop(photographs))
        second = [_seconds(lambda: folder(photographs, RESOLUTION, progress=False)) for _ in range(3)]
    share = NUM["full"] / num
    return [
        measure("intake", "seconds", [first * share], baseline=plain * share, baseline_name="plain Pillow loop"),
        measure("intake", "second_start", second),
    ]


def plain_loop(photographs: Path) -> np.ndarray:
    """One thread, each picture decoded whole, as tutorials write it: uint8 [N, 64, 64, 3]."""
    shape = (RESOLUTION, RESOLUTION)
    opened = (Image.open(path).convert("RGB") for path in sorted(photographs.iterdir()))
    return np.stack([np.asarray(picture.resize(shape, Image.Resampling.LANCZOS)) for picture in opened])


def _complete(pictures: Pictures, num: int) -> None:
    heldout = pictures.heldout()
    assert len(pictures) + (len(heldout) if heldout is not None else 0) == num


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


# ------------------------------------------------------------------------------------------------ made-up photographs


def make_photographs(where: Path, num: int, seed: int) -> None:
    """JPEGs of 350 x 350, about 30 kB each as photographs of that size are: textures of all scales, edges, colours."""
    where.mkdir()
    fields = [_field(np.random.default_rng([seed, i])) for i in range(_FIELDS)]

    def one(i: int) -> None:
        scene = _scene(fields, np.random.default_rng([seed, _FIELDS + i]))
        Image.fromarray(scene).save(where / f"{i:05}.jpg", quality=QUALITY)

    in_parallel(one, num, "making photographs", progress=False)


def _scene(fields: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """One surface before another: uint8 [350, 350, 3]."""
    front = _crop(fields, random) > random.uniform(-0.5, 0.5)
    return np.where(front[..., None], _surface(fields, random), _surface(fields, random))


def _surface(fields: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    light = _crop(fields, random) * random.uniform(15, 50)
    hue = _crop(fields, random)[..., None] * random.normal(0, 6, 3).astype(np.float32)
    return (light[..., None] + hue + random.uniform(60, 200, 3).astype(np.float32)).clip(0, 255).astype(np.uint8)


def _crop(fields: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    top, left = random.integers(0, _FIELD_SIDE - SIDE, 2)
    field = fields[int(random.integers(len(fields)))][top : top + SIDE, left : left + SIDE]
    return field[:: int(random.choice([-1, 1])), :: int(random.choice([-1, 1]))]


def _field(random: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls as the frequency rises, as that of natural pictures does: float32 [512, 512]."""
    across, down = np.fft.rfftfreq(_FIELD_SIDE)[None], np.fft.fftfreq(_FIELD_SIDE)[:, None]
    amplitude = np.hypot(across, down).clip(1 / _FIELD_SIDE) ** -1.35
    field = np.fft.irfft2(amplitude * np.exp(2j * np.pi * random.random(amplitude.shape)), (_FIELD_SIDE,) * 2)
    return ((field - field.mean()) / field.std()).astype(np.float32)
