"""Draw pictures with a trained generator: a grid, or with --separate single files. Of a table, rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from zerosum.cli._common import parse, say_what_is_replaced, show

if TYPE_CHECKING:
    import numpy as np

    from zerosum.core.generator import Generator


@dataclass(frozen=True)
class Options:
    """What `zerosum sample` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's folder (its best snapshot draws), or a snapshot, a .safetensors file."""
    number: Annotated[int, tyro.conf.arg(aliases=["-n"], metavar="N")] = 16
    """How many pictures, or rows where a table was learnt."""
    label: Annotated[
        tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=CLASS", help_behavior_hint="")
    ] = ()
    """What the pictures shall have, such as glasses=sunglasses; once for each label. For games that learn labels."""
    truncation: Annotated[float, tyro.conf.arg(metavar="PSI", help_behavior_hint="(default: 1, as they come)")] = 1.0
    """Spread of the latents, up to 1: less of it gives pictures that are more typical and more alike. Try 0.7."""
    seed: int = 0
    """Decides the noise. The same seed draws the same pictures, and more of them begin with the same."""
    out: Annotated[
        Path | None,
        tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: RUN/samples-seed0.png)"),
    ] = None
    """The grid's file, a PNG, or of a table's rows a .csv or .parquet; without it, one in RUN named after the seed."""
    separate: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Write each picture to a PNG of its own in this folder; a grid then comes only with -o."""
    json: bool = False
    """Print JSON: {"game", "images", "model", "seed", "labels", "truncation", "number", "files"}."""


def main(argv: list[str]) -> int | None:
    """Draws, writes and prints the paths. Raises Refusal for what is no run or snapshot, or cannot sample."""
    options = parse(Options, argv, "sample", __doc__)
    from zerosum.core import generator, zoo
    from zerosum.core.batch import TableShape
    from zerosum.core.errors import Refusal
    from zerosum.core.files import sha256
    from zerosum.core.plan import check_seed
    from zerosum.core.run import Run, folder

    options = replace(options, run=folder(options.run))
    if options.number < 1:
        raise Refusal(f"-n {options.number}: wanted at least 1 picture.")
    if options.run.is_file() and options.run.suffix != ".safetensors":
        raise Refusal(f"{options.run}: not a snapshot. Wanted a run's folder, or a .safetensors file in one.")
    check_seed(options.seed)
    labels = _labels(options.label)
    snapshot = Run.open(options.run).best if options.run.is_dir() else zoo.place(options.run)
    player = generator.load(snapshot)
    _check_out(options, isinstance(player.header.shape, TableShape))
    text = player.header.stamp("zerosum sample", sha256(snapshot), options.seed, labels, options.truncation)
    if isinstance(player.header.shape, TableShape):
        files = _write_rows(player, options)
    else:
        pixels = player.sample(options.number, options.seed, labels=labels, truncation=options.truncation)
        files = _write(player, pixels, options, text)
    record = {
        "game": player.header.game,
        "images": player.header.images,
        "model": text["model"],
        "seed": options.seed,
        "labels": labels,
        "truncation": options.truncation,
        "number": options.number,
        "files": [str(path) for path in files],
    }
    shown = files if len(files) <= 3 else [f"{options.number} files in {options.separate}", *files[options.number :]]
    show(record, options.json, "\n".join(map(str, shown)))
    return 0


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    """The classes by the label's name. Raises Refusal for what is not NAME=CLASS, and for a label that comes twice."""
    from zerosum.core.errors import Refusal

    labels: dict[str, str] = {}
    for words in given:
        name, equals, value = (part.strip() for part in words.partition("="))
        if not (name and equals and value):
            raise Refusal(f"--label {words}: wanted NAME=CLASS, such as glasses=sunglasses.")
        if name in labels:
            raise Refusal(f"--label {name} comes twice, as {labels[name]} and {value}. Draw them one after the other.")
        labels[name] = value
    return labels


def _check_out(options: Options, is_table: bool) -> None:
    """Raises Refusal for a file that does not fit what is drawn, and for options of the other kind."""
    from zerosum.core.errors import Refusal

    suffix = options.out.suffix.lower() if options.out else None
    if is_table:
        if suffix not in (None, ".csv", ".parquet"):
            raise Refusal(f"-o {options.out}: this run learnt a table, and rows are saved as .csv or .parquet.")
        if options.separate or options.label or options.truncation != 1:
            raise Refusal("this run learnt a table: --separate, --label and --truncation are for pictures.")
    elif suffix not in (None, ".png"):
        raise Refusal(f"-o {options.out}: pictures are saved as .png, which keeps their seed and model.")


def _place(options: Options, suffix: str) -> Path:
    """Where the one file goes; its folder is made, and what it replaces is named."""
    folder = options.run if options.run.is_dir() else options.run.parent  # of the zoo, the one we are in
    path = options.out or folder / f"samples-seed{options.seed}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    say_what_is_replaced(path)
    return path


def _write_rows(player: Generator, options: Options) -> list[Path]:
    """Rows in the table's own units, under the names of its columns."""
    from zerosum.core.batch import TableShape
    from zerosum.data.table import save_rows

    shape, path = player.header.shape, _place(options, ".csv")
    assert isinstance(shape, TableShape)
    save_rows(player.rows(options.number, options.seed), [column.name for column in shape.columns], path)
    return [path]


def _write(player: Generator, pixels: np.ndarray, options: Options, text: dict[str, str]) -> list[Path]:
    """Writes the single files, then the grid, as the options want; uint8 [n, H, W, C]. Returns their paths."""
    from zerosum.core.pictures import save_png, to_pil

    files = []
    if options.separate:
        options.separate.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(pixels):
            files.append(options.separate / f"seed{options.seed}-{i:05d}.png")
            save_png(to_pil(picture), files[-1], {**text, "index": str(i)})
    if options.out or not options.separate:
        files.append(_place(options, ".png"))
        save_png(player.on_a_sheet(pixels), files[-1], text)
    return files
