"""Say how good a run, a snapshot or a folder of pictures is, beside real pictures and the simplest model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from zerosum.cli._common import parse, show
from zerosum.core.errors import Refusal
from zerosum.core.plan import check_seed

if TYPE_CHECKING:
    from torch import Tensor

    from zerosum.core.batch import DataShape, Source
    from zerosum.core.generator import Generator

BATCH = 64
NAMES = {
    "kid": "KID, EfficientNet-Lite0",
    "kid_random": "KID, random convolution",
    "coverage": "coverage",
}


@dataclass(frozen=True)
class Options:
    """What is judged, and against what."""

    what: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|SNAPSHOT|DIR")]
    """A run's folder (its best snapshot), a snapshot (.safetensors), or a folder or zip of pictures from any tool."""
    against: Annotated[str | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="(default: the run's data)")] = None
    """The real pictures: a folder, a zip, or the name of a set."""
    resolution: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N [N]")] = ()
    """Pixels a side, or height and width, at which pictures are compared. [default: the run's own; 64 for a folder]"""
    n: int = 2000
    """Pictures on each side; more give narrower intervals."""
    seed: int = 0
    """Decides the latents, and which pictures are the reference."""
    judges: tuple[Literal["efficientnet", "random"], ...] = ("efficientnet", "random")
    """Whose KID; random needs no weights from the network."""
    device: str = "cpu"
    """cpu, cuda, cuda:1."""
    json: bool = False
    """Print the scores as JSON."""


def main(argv: list[str]) -> None:
    """`zerosum evaluate RUN|SNAPSHOT|DIR --against DATA`."""
    options = parse(Options, argv, "evaluate", __doc__ or "")
    scores = evaluate(options)
    show(scores, options.json, table(scores))


def evaluate(options: Options) -> dict:
    """The scores, as `metrics.panel.Panel.score` gives them."""
    from zerosum.metrics.panel import Panel

    check_seed(options.seed)
    path = Path(options.what)
    if not path.exists():
        raise Refusal(f"{path}: no such file or folder. Wanted a run, a snapshot or a folder of pictures.")
    is_run = (path / "run.json").is_file()
    if is_run or path.suffix == ".safetensors":
        from zerosum.core.generator import load

        generator = load(path, options.device)
        source = _data(options, path if is_run else path.parent, generator.header.shape)
        _same_shape(generator.header.shape, source)
        pictures = _sampled(generator, options.n, options.seed)
    else:
        source = _data(options, None, None)
        pictures = _read(path, source, options.n, options.seed)
    return Panel(source, options.n, options.seed, options.device, options.judges).score(pictures)


def table(scores: dict) -> str:
    """The scores as lines of text, and the verdict."""
    reference = scores["reference"]
    row = "{:<25}{:>10}  {:<26}{:>12}{:>14}".format
    lines = [
        f"{scores['n']} pictures against {reference['n']} real ones; floor: {reference['floor']}",
        "",
        row("", "value", "95 % interval", "real", "PCA-Gaussian"),
    ]
    for key in ("kid", "kid_random"):
        if key in scores:
            s = scores[key]
            value, low, high, floor, baseline = (
                f"{s[k]:.4g}" for k in ("value", "low", "high", "floor", "pca_gaussian")
            )
            lines.append(row(NAMES[key], value, f"[{low}, {high}]", floor, baseline))
    value, top, baseline = (f"{scores['coverage'][k]:.3f}" for k in ("value", "ceiling", "pca_gaussian"))
    lines.append(row(NAMES["coverage"], value, "", top, baseline))
    return "\n".join([*lines, "", "KID: lower is better. Coverage: higher is better.", scores["verdict"]["text"]])


def _data(options: Options, run_folder: Path | None, shape: DataShape | None) -> Source:
    """What --against names, or what the run was trained on; at the generator's size where there is one."""
    from zerosum.core.run import Run
    from zerosum.data.catalog import open_data

    name, opened = options.against, {}
    if name is None:
        if run_folder is None or not (run_folder / "run.json").is_file():
            raise Refusal(f"{options.what} does not say what it was made from. Add --against DATA, the real pictures.")
        opened = Run.open(run_folder).info.get("opened", {})
        name = opened.get("data")
        if name is None:
            raise Refusal(f"{options.what} was trained from Python, on data it cannot open. Add --against DATA.")
    sides = options.resolution or ((shape.height, shape.width) if shape is not None else (64,))
    look = {key: opened[key] for key in ("channels", "ground", "frames") if key in opened}
    if shape is not None and Path(name).exists():
        look["channels"] = shape.channels
    return open_data(name, (sides[0], sides[-1]), progress=not options.json, **look)


def _same_shape(shape: DataShape, source: Source) -> None:
    ours, theirs = ((s.height, s.width, s.channels) for s in (shape, source.shape))
    if ours != theirs:
        raise Refusal(f"the generator makes {shape}, {source.name} holds {source.shape}: these cannot be compared.")


def _sampled(generator: Generator, n: int, seed: int) -> Iterator[Tensor]:
    """n made pictures, as batches float [b, C, H, W] in [-1, 1]. Raises Refusal at once if it does not sample."""
    from zerosum.core.generator import Samples

    if not isinstance(generator, Samples):
        raise Refusal(f"{generator.header.game} makes nothing from noise alone. Evaluate a folder of what it made.")
    latents = generator.latents(n, seed).split(BATCH)
    return (_made(generator, z) for z in latents)


def _made(generator: Generator, z: Tensor) -> Tensor:
    import torch

    with torch.inference_mode():
        return generator(z.to(generator.device)).float().cpu()


def _read(path: Path, source: Source, n: int, seed: int) -> Iterator[Tensor]:
    """n pictures of a folder (all, if it has fewer) at the source's size, as batches float [b, C, H, W] in [-1, 1]."""
    import numpy as np

    from zerosum.data.folder import folder

    shape = source.shape
    pictures = folder(path, (shape.height, shape.width), channels=shape.channels)
    heldout = pictures.heldout()  # a made set has no use for held-out pictures: all are judged
    total = len(pictures) + (len(heldout) if heldout is not None else 0)
    chosen = np.random.default_rng(seed).choice(total, min(n, total), replace=False)
    for part in np.array_split(chosen, -(-len(chosen) // BATCH)):
        yield pictures.batch(part[part < len(pictures)]).x
        if heldout is not None:
            yield heldout.batch(part[part >= len(pictures)] - len(pictures)).x
