"""Reduce pictures or a table's rows to few numbers each; a map of them, and which are unusual."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from zerosum.cli._common import parse, refuse_within, say_what_is_replaced, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pyarrow as pa
    from matplotlib.figure import Figure

    from zerosum.core.batch import TableShape
    from zerosum.data.whole import Whole

BATCH = 256
UNUSUAL = 10  # of the most unusual are named
ON_THE_MAP = 3000  # pictures that are tried for a place on the map, where there is room for some hundreds


@dataclass(frozen=True)
class Options:
    """What `zerosum reduce` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """The run of an autoencoder (its best snapshot encodes), or a snapshot, a .safetensors file."""
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """A folder or zip of pictures, or a set's name; for a run on a table, a table with the same columns."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path("codes.parquet")
    """Where the codes go, a .parquet or .csv; their map goes beside it, FILE-map.png."""
    label: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="(default: the first)")] = None
    """The label that colours the map."""
    rebuilt: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Write what is made again from the codes into this folder: a PNG each, or rebuilt.csv in the table's own units."""
    json: bool = False
    """Print JSON; no bar."""


def main(argv: list[str]) -> None:
    """Writes each one's code, name, labels and error, and the map; prints the error beside PCA's.

    Raises Refusal for a run that does not encode, and for data of another kind or size than it has learnt.
    """
    options = parse(Options, argv, "reduce", __doc__)
    _check(options)
    from zerosum.core.errors import Refusal
    from zerosum.core.generator import Encodes, load
    from zerosum.data.table import save_table
    from zerosum.data.whole import Whole, opened_as

    generator: Any = load(options.run)
    header = generator.header
    if not isinstance(generator, Encodes):
        raise Refusal(f"{options.run}: {header.game} finds no codes. Name the run of an autoencoder.")
    whole = Whole(options.data, opened_as(header.shape, options.data, not options.json))
    label = _label(options.label, whole.labels)
    codes, errors = _encoded(generator, whole, options)
    drawing = options.out.with_name(f"{options.out.stem}-map.png")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    say_what_is_replaced(options.out, drawing)
    save_table(_table(whole, codes, errors), options.out)
    _save(_map(whole, codes, label), drawing)
    record = _record(whole, codes, errors) | {"codes": str(options.out), "map": str(drawing)}
    show(record, options.json, _text(record))


def _check(options: Options) -> None:
    """Raises Refusal for what is known to be wrong before anything is opened."""
    from zerosum.core.errors import Refusal

    if options.out.suffix.lower() not in (".parquet", ".csv"):
        raise Refusal(f"-o {options.out}: codes are saved as .parquet or .csv.")
    for option, place in (("-o", options.out), ("--rebuilt", options.rebuilt)):
        if place is not None:
            refuse_within(options.data, option, place)
            if place.exists() and place.resolve() == Path(options.data).resolve():
                raise Refusal(f"{option} {place} is the data itself. Name another place.")


def _label(wanted: str | None, labels: dict[str, list[str]]) -> str | None:
    """The name of the label to colour by; None where there is none. Raises Refusal for an unknown one."""
    from zerosum.core.errors import Refusal, nearest

    if wanted is not None and wanted not in labels:
        raise Refusal(f"--label {wanted}: no such label{nearest(wanted, labels) if labels else '; there are none.'}")
    return wanted or next(iter(labels), None)


def _encoded(generator: Any, whole: Whole, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Codes, float32 [n, k], and each one's mean square error, float64 [n]; writes what is made again, if wanted."""
    import numpy as np
    import torch

    from zerosum.data.pictures import progress_bar

    codes, errors, made = [], [], []
    with progress_bar("encoding", len(whole), not options.json) as advance, torch.inference_mode():
        for numbers in _batches(np.arange(len(whole))):
            x = whole.x(numbers)
            z = generator.encode(x.to(generator.device))
            again = generator(z).float().cpu()
            codes.append(z.flatten(1).float().cpu().numpy())
            errors.append((again - x).flatten(1).double().square().mean(1).numpy())
            if options.rebuilt is not None and whole.is_table:
                made.append(again.numpy())
            elif options.rebuilt is not None:
                _write_pictures(again, numbers, options.rebuilt)
            advance(len(numbers))
    if options.rebuilt is not None and whole.is_table:
        _write_rows(np.concatenate(made), generator.header.shape, options.rebuilt)
    return np.concatenate(codes), np.concatenate(errors)


def _batches(numbers: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(numbers), BATCH):
        yield numbers[start : start + BATCH]


def _write_pictures(x: Any, numbers: np.ndarray, folder: Path) -> None:
    """A PNG each, by its number."""
    from zerosum.core.pictures import save_png, to_pil, to_uint8

    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in zip(numbers, to_uint8(x), strict=True):
        save_png(to_pil(picture), folder / f"{number:05d}.png")


def _write_rows(rows: np.ndarray, shape: TableShape, folder: Path) -> None:
    """rebuilt.csv, in the columns' own units."""
    from zerosum.data.table import save_rows

    folder.mkdir(parents=True, exist_ok=True)
    save_rows(shape.in_units(rows), [column.name for column in shape.columns], folder / "rebuilt.csv")


def _table(whole: Whole, codes: np.ndarray, errors: np.ndarray) -> pa.Table:
    """A row each: its name (of a table its number, from 1), labels, code z0, z1, ... and error."""
    import pyarrow as pa

    own = {"row": whole.rows + 1} if whole.is_table else {"file": whole.names}
    found = {**own, **{f"z{i}": codes[:, i] for i in range(codes.shape[1])}, "error": errors}
    labels: dict[str, list[str]] = {}
    for name, words in whole.labels.items():
        while name in found or name in labels:
            name += "_label"
        labels[name] = words
    return pa.table({**own, **labels, **found})


def _map(whole: Whole, codes: np.ndarray, label: str | None) -> Figure:
    """Of all; the pictures that lie on it are drawn by chance."""
    import numpy as np

    from zerosum.core.pictures import to_uint8
    from zerosum.report.codemap import draw, plane

    places, axes_are = plane(codes)
    order = np.random.default_rng(0).permutation(len(whole))
    pixels = None if whole.is_table else to_uint8(whole.x(order[:ON_THE_MAP]))
    classes = [whole.labels[label][i] for i in order] if label else None
    return draw(places[order], axes_are, classes, label or "", pixels)


def _save(figure: Figure, path: Path) -> None:
    from zerosum.core.files import written
    from zerosum.report.charts import to_png

    with written(path) as temporary:
        temporary.write_bytes(to_png(figure))


def _record(whole: Whole, codes: np.ndarray, errors: np.ndarray) -> dict[str, Any]:
    """What is printed: the error of those held out (of all, where none are) beside that of PCA, which sees the rest."""
    import numpy as np

    from zerosum.metrics import pca_gaussian

    judged = whole.judged
    pca = pca_gaussian.fit(whole.source, components=codes.shape[1])
    theirs = [(pca.nearest(x) - x).double().square().mean().item() for x in map(whole.x, _batches(judged))]
    weights = [len(numbers) for numbers in _batches(judged)]
    odd = [whole.rows[i] + 1 if whole.is_table else i for i in (-errors).argsort()[:UNUSUAL]]
    return {
        "what": "rows" if whole.is_table else "pictures",
        "number": len(whole),
        "length": codes.shape[1],
        "error": float(errors[judged].mean()),
        "pca": float(np.average(theirs, weights=weights)),
        "judged": len(judged),
        "held_out": len(judged) < len(whole),
        "unusual": [
            {"name": f"row {i}" if whole.is_table else whole.names[i], "error": float(error)}
            for i, error in zip(odd, -np.sort(-errors)[:UNUSUAL], strict=True)
        ],
    }


def _text(record: dict[str, Any]) -> str:
    what, ours, pca = record["what"], record["error"], record["pca"]
    on = f"{record['judged']:,} {what} held out" if record["held_out"] else f"all {what}, seen in training or not"
    numbers = "one number" if record["length"] == 1 else f"{record['length']} numbers"
    unusual = ", ".join(f"{one['name']} ({one['error']:.3g})" for one in record["unusual"])
    return "\n".join(
        [
            f"{record['codes']}: {record['number']:,} {what}, {numbers} each; their map: {record['map']}",
            f"error: {ours:.4g}, {_beside(ours, pca)} the {pca:.4g} of PCA with as many numbers (mean square, on {on})",
            f"most unusual, by their errors: {unusual}",
        ]
    )


def _beside(ours: float, pca: float) -> str:
    """How the error compares, in words."""
    if pca < 1e-9:
        return "beside"
    if ours > 2 * pca:
        return f"{ours / pca:.1f} times"
    return f"{abs(1 - ours / pca):.0%} {'less' if ours <= pca else 'more'} than"
