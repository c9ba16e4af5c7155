"""Moving and side-by-side pictures of a run: the training film, the evolution strip, a walk through latent space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import Colorspace
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from zerosum.core.errors import Refusal
from zerosum.core.files import written
from zerosum.core.generator import Samples
from zerosum.core.pictures import grid, labelled_columns, save_png, to_uint8
from zerosum.core.run import Run

GAP = 2  # px between the pictures of a grid, as core.pictures.grid draws it
FILM_SIDE = 960  # px; a film's longer side at most
CAPTION = 36  # px; the height of the training film's caption
STRIP_SIDE = 128  # px; a picture of the evolution strip at most
FORMATS = (".mp4", ".gif", ".webp")
H264 = {"crf": "16", "preset": "medium"}
BT709 = 1  # the number of this colour standard in H.264's headers: matrix, primaries and transfer alike

Frame = Path | str | np.ndarray


def count(images: int) -> str:
    """A number of images as people read it: `12,800`, from a million on `1.28 M`."""
    return f"{images:,}" if images < 1_000_000 else f"{images / 1e6:.4g} M"


def images_of(path: Path) -> int:
    """The images drawn when a grid or a snapshot was written; its name says so."""
    return int(path.stem.rpartition("-")[2])


def film(frames: Iterable[Frame], out: str | Path, fps: int = 12) -> Path:
    """Writes frames as a film, whole or not at all; the suffix decides: .mp4 (H.264, plays in browsers), .gif, .webp.

    frames: picture files or uint8 [H, W], [H, W, 1] or [H, W, 3], all of one size. H.264 wants even sides: an odd one
    grows by a pixel that repeats the edge. Raises Refusal for another suffix, no frames, or frames of unequal size.
    """
    out = Path(out)
    if out.suffix.lower() not in FORMATS:
        raise Refusal(f"{out}: a film ends in .mp4, .gif or .webp, not in '{out.suffix}'. Choose one of these.")
    arrays = _of_one_size(map(_rgb, frames))
    first = next(arrays, None)
    if first is None:
        raise Refusal(f"{out}: there are no frames to make a film of. Wanted at least one picture.")
    out.parent.mkdir(parents=True, exist_ok=True)
    write = _write_mp4 if out.suffix.lower() == ".mp4" else _write_loop
    with written(out) as temporary:
        write(chain([first], arrays), temporary, fps, out.suffix.lower())
    return out


def training_film(run: Run, out: str | Path | None = None) -> Path:
    """`training.mp4` (or `out`): the run's grids of fixed noise in order, captioned, the last one held.

    About eight seconds, between 2 and 15 grids a second. Raises Refusal if the run has no grids yet.
    """
    grids = _grids(run)
    pace = min(15, max(2, round(len(grids) / 8)))
    total = int(run.info.get("total") or 0)
    size = _size(grids[-1])
    drawn = (_captioned(path, size, total) for path in grids)
    held = [_captioned(grids[-1], size, total)] * round(1.5 * pace)
    return film(chain(drawn, held), out or run.path / "training.mp4", pace)


def last_frame(run: Run) -> Image.Image:
    """The film's last picture, for a poster. Raises Refusal if the run has no grids yet."""
    newest = _grids(run)[-1]
    return Image.fromarray(_captioned(newest, _size(newest), int(run.info.get("total") or 0)))


def first_frame(path: str | Path) -> Image.Image | None:
    """A film's first picture; None if the file cannot be played."""
    try:
        with av.open(str(path)) as container:
            return next((frame.to_image() for frame in container.decode(video=0)), None)
    except (av.FFmpegError, IndexError):
        return None


def pictures_in(path: str | Path, height: int, width: int) -> np.ndarray:
    """The pictures of a grid that `core.pictures.grid` drew, uint8 [n, H, W, 1 or 3], at their own size again.

    A last row that is not full yields white pictures. Raises Refusal if the file's size is no such grid's.
    """
    sheet = np.asarray(Image.open(path))
    sheet = sheet[..., None] if sheet.ndim == 2 else sheet
    scale = max(1, 96 // max(height, width))
    down, across = height * scale + GAP, width * scale + GAP
    if (sheet.shape[0] - GAP) % down or (sheet.shape[1] - GAP) % across:
        size = f"{sheet.shape[1]} x {sheet.shape[0]}"
        raise Refusal(f"{path}: {size} pixels is no grid of {width} x {height} pictures. Delete it, and train on.")
    rows, columns = sheet.shape[0] // down, sheet.shape[1] // across
    cells = sheet[GAP:, GAP:].reshape(rows, down, columns, across, -1).transpose(0, 2, 1, 3, 4)
    return cells.reshape(rows * columns, down, across, -1)[:, :-GAP:scale, :-GAP:scale]


def evolution(run: Run, faces: int = 6, columns: int = 10, every: int | None = None) -> list[tuple[int, np.ndarray]]:
    """What the same noise became in the course of the run: (images drawn, uint8 [faces, H, W, 1 or 3]), oldest first.

    At most `columns` of the run's grids, evenly spread, the first and the last among them; or one each `every` images,
    however many these are: 128,000 and 6 faces give the animated-faces tutorial's strip. Pictures above 128 px are
    reduced by a whole factor. Raises Refusal if the run has no grids yet, or for fewer than one face or image.
    """
    if faces < 1 or (every is not None and every < 1):
        raise Refusal(f"a strip of {faces} faces, a column each {every or 1} images: wanted at least 1 of both.")
    grids, shape = _grids(run), run.info["shape"]
    factor = math.ceil(max(shape["height"], shape["width"]) / STRIP_SIDE)
    chosen = _each(grids, every) if every else _spread(grids, columns)
    parts = [(path, pictures_in(path, shape["height"], shape["width"])[:faces]) for path in chosen]
    return [(images_of(path), _reduced(pictures, factor)) for path, pictures in parts]


def evolution_strip(run: Run, faces: int = 6, out: str | Path | None = None, every: int | None = None) -> Path:
    """`evolution.png` (or `out`): a column a grid, a row a face, the images drawn above. Raises as `evolution` does."""
    columns = evolution(run, faces, every=every)
    out = Path(out or run.path / "evolution.png")
    sheet = labelled_columns([pictures for _, pictures in columns], [count(images) for images, _ in columns])
    save_png(sheet, out, {"Title": "The same noise in the course of training; above, the images drawn"})
    return out


def latent_walk(
    generator: Any,
    out: str | Path,
    keyframes: int = 8,
    seconds: float | None = None,
    fps: int = 30,
    seed: int = 0,
    num_pictures: int = 6,
) -> Path:
    """A loop through latent space as a film (.mp4, .gif, .webp): several pictures, each on its own closed way.

    Each way leads through `keyframes` latents by spherical interpolation and back to the first, in `seconds`, or in 1.5
    from one to the next. Raises Refusal if the generator does not sample, or for what is no film.
    """
    if not isinstance(generator, Samples):
        raise Refusal("this generator makes nothing from noise alone: there is no latent space to walk through.")
    if not 2 <= keyframes <= 200:
        raise Refusal(f"a walk through {keyframes} pictures: wanted between 2 and 200.")
    if not 1 <= fps <= 60:
        raise Refusal(f"{fps} frames a second: wanted between 1 and 60.")
    seconds = 1.5 * keyframes if seconds is None else seconds
    if not 0.2 <= seconds <= 600:
        raise Refusal(f"a walk of {seconds:g} seconds: wanted between 0.2 and 600.")
    z = generator.latents(keyframes * num_pictures, seed)
    stops = z.reshape(keyframes, num_pictures, *z.shape[1:])
    return film(_walk_frames(generator, stops, max(2, round(seconds * fps))), out, fps)


def on_the_way(stops: Tensor, place: float) -> Tensor:
    """The latents [n, ...] at `place` of the closed way through `stops` [k, n, ...]: 0 is the first stop, 1 the second,
    and k the first again."""
    i = int(place)
    return slerp(stops[i % len(stops)], stops[(i + 1) % len(stops)], place - i)


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """The point at `t` in [0, 1] of the great arc from a to b, each [n, ...], row by row (Shoemake, 1985).

    Lengths that differ are interpolated along; rows that point almost the same way go straight.
    """
    flat_a, flat_b = a.flatten(1), b.flatten(1)
    angle = torch.nn.functional.cosine_similarity(flat_a, flat_b).clamp(-1, 1).acos()[:, None]
    arc = ((1 - t) * angle).sin() * flat_a + (t * angle).sin() * flat_b
    straight = (1 - t) * flat_a + t * flat_b
    near = angle.sin() < 1e-4
    return torch.where(near, straight, arc / angle.sin().where(~near, 1.0)).reshape(a.shape)


def _walk_frames(generator: Any, stops: Tensor, num_frames: int) -> Iterator[np.ndarray]:
    device = getattr(generator, "device", "cpu")
    for frame in range(num_frames):  # frame num_frames would be frame 0 again: the loop closes
        z = on_the_way(stops, frame * len(stops) / num_frames)
        with torch.inference_mode():
            pixels = to_uint8(generator(z.to(device)))
        scale = max(1, 192 // max(pixels.shape[1:3]))
        columns = math.ceil(len(pixels) / 2 / generator.abreast) * generator.abreast
        yield np.asarray(_fitted(grid(pixels, columns=columns, scale=scale)).convert("RGB"))


def _spread(grids: list[Path], columns: int) -> list[Path]:
    """At most so many, evenly spread, with the first and the last."""
    return [grids[i] for i in np.unique(np.linspace(0, len(grids) - 1, min(columns, len(grids))).round().astype(int))]


def _each(grids: list[Path], every: int) -> list[Path]:
    """For each multiple of `every` images, the first grid that had drawn so many; each once."""
    reached = [images_of(path) // every for path in grids]
    return [path for path, now, before in zip(grids, reached, [-1, *reached], strict=False) if now > before]


def _grids(run: Run) -> list[Path]:
    grids = run.grids
    if not grids:
        raise Refusal(f"{run.path}: holds no grids (fakes-*.png) yet. Train further, and try again.")
    return grids


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def _captioned(path: Path, size: tuple[int, int], total: int) -> np.ndarray:
    """A grid at its film's size under a strip that says and shows how far the run had come; uint8 [H, W, 3]."""
    sheet = Image.open(path).convert("RGB")
    sheet = _fitted(sheet if sheet.size == size else sheet.resize(size, Image.Resampling.NEAREST))
    frame = Image.new("RGB", (sheet.width, sheet.height + CAPTION), "#17181b")
    frame.paste(sheet, (0, CAPTION))  # the caption stands above: a player's buttons lie over the bottom
    draw, images = ImageDraw.Draw(frame), images_of(path)
    draw.text((12, CAPTION // 2 - 1), f"{count(images)} images", "white", ImageFont.load_default(20), "lm")
    if total:
        draw.rectangle((0, CAPTION - 3, sheet.width * min(1.0, images / total), CAPTION - 1), fill="#2fb5a8")
    return np.asarray(frame)


def _fitted(picture: Image.Image) -> Image.Image:
    """Doubled where there is room, since H.264 halves colour's resolution; reduced where it is too large."""
    longer = max(picture.size)
    if longer * 2 <= FILM_SIDE:
        return picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.NEAREST)
    if longer > FILM_SIDE:
        picture = picture.copy()
        picture.thumbnail((FILM_SIDE, FILM_SIDE), Image.Resampling.LANCZOS)
    return picture


def _reduced(pixels: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return pixels
    flat = [Image.fromarray(p.squeeze(-1) if p.shape[-1] == 1 else p).reduce(factor) for p in pixels]
    return np.stack([np.asarray(p).reshape(p.height, p.width, pixels.shape[-1]) for p in flat])


def _rgb(frame: Frame) -> np.ndarray:
    """uint8 [H, W, 3] from a file or an array."""
    if not isinstance(frame, np.ndarray):
        return np.asarray(Image.open(frame).convert("RGB"))
    frame = frame[..., None] if frame.ndim == 2 else frame
    return np.broadcast_to(frame, (*frame.shape[:2], 3))


def _of_one_size(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    shape: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.shape != shape:
            raise Refusal(
                f"frame {number} has {frame.shape[1]} x {frame.shape[0]} pixels, the first {shape[1]} x {shape[0]}. "
                "Wanted frames of one size."
            )
        yield frame


def _write_mp4(frames: Iterator[np.ndarray], path: Path, fps: int, suffix: str) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        # A key frame a second, so that players can jump, and so that a loop's last frame is coded as well as its first.
        # The macroblock tree would save on the last frames, since nothing after them refers to them.
        options = H264 | {"x264-params": f"mbtree=0:keyint={fps}"}
        stream: Any = container.add_stream("libx264", rate=fps, options=options)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context  # without these, players guess the colours by the film's size
        context.colorspace = context.color_primaries = context.color_trc = BT709
        for number, pixels in enumerate(frames):
            even = np.pad(pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge")
            if number == 0:
                stream.height, stream.width = even.shape[:2]
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)))
        container.mux(stream.encode())


def _write_loop(frames: Iterator[np.ndarray], path: Path, fps: int, suffix: str) -> None:
    first, *others = [Image.fromarray(np.ascontiguousarray(frame)) for frame in frames]
    options: dict[str, Any] = {"quality": 85, "method": 4} if suffix == ".webp" else {"optimize": False}
    kind = "WEBP" if suffix == ".webp" else "GIF"
    first.save(path, kind, save_all=True, append_images=others, duration=round(1000 / fps), loop=0, **options)
