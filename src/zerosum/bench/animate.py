"""Row animate: films that play, noise that is fixed, a walk that closes without a jump, maps of what the judge sees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.generator import load
from zerosum.core.pictures import from_uint8, labelled_columns, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.report.charts import loss_chart
from zerosum.report.film import evolution_strip, latent_walk, on_the_way, pictures_in, training_film
from zerosum.report.looks import looks, saliency

FACES = 36  # pictures in a run's grid
WATCHED = 12  # real pictures, and as many made ones, whose maps are tried
TITLES = 18  # px; the height of a strip's titles
FPS, KEYFRAMES = 30, 8
DRAWINGS = Path("docs/img")


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains house on faces of 32 px once a seed (24,000 pictures in full) and looks at all that it leaves behind."""
    images, seconds = {"smoke": (2 * 32, 0.5), "quick": (3_200, 6.0), "full": (24_000, 12.0)}[budget]
    smoke = {"count": 128, "heldout_count": 64, "progress": False}
    source = avatars(32, **smoke) if budget == "smoke" else avatars(32)  # type: ignore[arg-type]
    runs = [cached_run("house", source, Plan(images=images, seed=seed, score=0)) for seed in seeds]
    found = [_judge(run, seconds) for run in runs]
    if budget == "full":
        _draw(runs[0])
    return [measure("animate", name, [one[name] for one in found]) for name in found[0]]


def _judge(run: Run, seconds: float) -> dict[str, float]:
    """Each figure of the row, from what is made of one run."""
    generator = load(run.snapshots[-1])
    with tempfile.TemporaryDirectory() as folder:
        strip = evolution_strip(run, out=Path(folder) / "strip.png")
        training = training_film(run, Path(folder) / "training.mp4")
        walk = latent_walk(generator, Path(folder) / "walk.mp4", KEYFRAMES, seconds, FPS)
        jump, seam = _steps(walk, round(seconds * FPS / KEYFRAMES))
        faults = [*_faults(training, len(run.grids)), *_faults(walk, round(seconds * FPS), FPS)]
        return {
            "moved": _moved(run, strip),
            "faults": len(faults),
            "jump": jump,
            "seam": seam,
            "megabytes": max(path.stat().st_size for path in (training, walk)) / 1e6,
            "hidden": _hidden(run, generator),
        }


def _moved(run: Run, strip: Path) -> float:
    """Pixels in which the pictures of the run's noise, made anew from its snapshots, differ from those it has drawn:
    in each snapshot's grid, and in the strip's last column."""
    height, width, seed = run.info["shape"]["height"], run.info["shape"]["width"], run.info["plan"]["seed"]
    moved = 0
    for snapshot in run.snapshots:
        made = load(snapshot).sample(FACES, seed)
        drawn = pictures_in(run.path / f"fakes-{snapshot.stem[-9:]}.png", height, width)
        moved += int((made != drawn).sum())
    body = strip.with_name("body.png")
    with Image.open(strip) as sheet:
        sheet.crop((0, TITLES, sheet.width, sheet.height)).save(body)
    columns = pictures_in(body, height, width).reshape(6, -1, height, width, 3)
    return moved + int((made[:6] != columns[:, -1]).sum())


def _faults(path: Path, frames: int, fps: int | None = None) -> list[str]:
    """What would keep a browser from playing the film as it should: decoded, it must show so many frames, or more
    where the pace is free."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context, rate = stream.codec_context, stream.average_rate
        num = sum(1 for _ in container.decode(video=0))
    data = path.read_bytes()
    wrong = {
        "codec": context.name != "h264",
        "pixels": context.pix_fmt != "yuv420p",
        "odd size": context.width % 2 or context.height % 2,
        "index at the end": data.index(b"moov") > data.index(b"mdat"),
        "frames": num < frames if fps is None else num != frames,
        "rate": fps is not None and rate != fps,
    }
    return [fault for fault, is_so in wrong.items() if is_so]


def _steps(path: Path, leg: int) -> tuple[float, float]:
    """Of a walk with a stop each `leg` frames: its largest step from frame to frame, as a share of the mean distance
    between one stop and the next; and the step from the last frame to the first, as a share of the largest other."""
    frames = _frames(path)
    first = last = stop = next(frames)
    steps, legs = [], []
    for number, frame in enumerate(frames, 1):
        steps.append(float(np.abs(frame - last).mean()))
        if number % leg == 0:
            legs.append(float(np.abs(frame - stop).mean()))
            stop = frame
        last = frame
    return max(steps) / float(np.mean(legs)), float(np.abs(first - last).mean()) / max(steps)


def _frames(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.float32)


def _hidden(run: Run, generator: Any) -> float:
    """How many times as much the judge's score moves when the hottest tenth of each picture is blurred, as when the
    same patches are blurred half a picture further right and down: real pictures and made ones."""
    height, width = run.info["shape"]["height"], run.info["shape"]["width"]
    x = torch.cat(
        [from_uint8(pictures_in(run.path / "reals.png", height, width)[:WATCHED]), generator.images(WATCHED, seed=7)]
    )
    heat = saliency(generator, x)
    hot = torch.from_numpy(heat >= np.quantile(heat, 0.9, axis=(1, 2), keepdims=True))[:, None]
    blurred = torch.from_numpy(gaussian_filter(x.numpy(), (0, 0, height / 8, width / 8)))

    def moves(mask: torch.Tensor) -> float:
        with torch.inference_mode():
            return (generator.score(torch.where(mask, blurred, x)) - generator.score(x)).abs().mean().item()

    return moves(hot) / moves(hot.roll((height // 2, width // 2), (2, 3)))


def _draw(run: Run) -> None:
    """The docs' pictures, of the first seed: strip, losses, what the judge looks at, and a piece of the walk."""
    DRAWINGS.mkdir(parents=True, exist_ok=True)
    generator = load(run.snapshots[-1])
    evolution_strip(run, out=DRAWINGS / "animate-evolution.png", every=4_000)
    looks(run, generator, DRAWINGS / "animate-looks.png")
    loss_chart(run).replace(DRAWINGS / "animate-losses.png")
    stops = generator.latents(KEYFRAMES * 4, seed=0).reshape(KEYFRAMES, 4, -1)
    places = [i / 4 for i in range(9)]
    with torch.inference_mode():
        columns = [to_uint8(generator(on_the_way(stops, place))) for place in places]
    save_png(labelled_columns(columns, [f"{place:g}" for place in places]), DRAWINGS / "animate-walk.png")
