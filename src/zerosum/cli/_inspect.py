"""`zerosum data inspect`: what is in a set of pictures, printed and drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from zerosum.cli._common import refuse_within, show

if TYPE_CHECKING:
    from zerosum.data.advice import Advice
    from zerosum.data.inspect import Inspection
    from zerosum.report.inspection import Sheet


@dataclass(frozen=True)
class Inspect:
    """Look at all pictures: sizes, labels, copies, broken files; and what to make of them."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """A folder or zip of pictures, or the name of a set."""
    out: Annotated[
        Path | None,
        tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: inspect.png, never inside DATA)"),
    ] = None
    """Where the drawing goes, a PNG."""
    json: bool = False
    """Print JSON; no bar, and no drawing without -o."""


def inspect(options: Inspect) -> None:
    """Looks, draws and prints. Raises Refusal for what holds no pictures, for a file that is no .png, and for one that
    would lie among the pictures."""
    from zerosum.data.advice import advise, latent
    from zerosum.data.inspect import inspect as look

    out = _out(options)
    seen = look(options.data, progress=not options.json)
    properties = _properties(seen)
    advice, record = [*advise(seen), *([latent(*properties)] if properties else [])], seen.record()
    if out is not None:
        _draw(_sheet(seen, advice, record), out)
    record |= {
        "properties": round(properties[0], 1) if properties else None,
        "advice": [asdict(piece) for piece in advice],
        "drawing": str(out) if out is not None else None,
    }
    show(record, options.json, f"{_text(seen, record)}\n\n{_advice(advice)}\n\nDrawn: {out}")


def _properties(seen: Inspection) -> tuple[float, int, bool] | None:
    """In how many independent ways the pictures differ, the latent that is ample for that, and whether there are more
    than can be told; None for too few pictures."""
    import numpy as np

    from zerosum.core.pictures import from_uint8
    from zerosum.metrics.coverage import Thumbnails
    from zerosum.metrics.dimension import PICTURES, dimension, latent

    chosen = np.random.default_rng(0).permutation(len(seen))[: 2 * PICTURES]
    found = dimension(Thumbnails().features(from_uint8(seen.facts.looks.miniatures[chosen])))
    return (found.properties, latent(found.properties), found.is_open) if found else None


def _out(options: Inspect) -> Path | None:
    """Where the drawing goes; None for nowhere."""
    from zerosum.core.errors import Refusal
    from zerosum.data.catalog import lies_in

    if options.out is None:
        usual = Path("inspect.png")
        beside = Path(options.data).resolve().parent / usual
        return None if options.json else beside if lies_in(usual, options.data) else usual
    if options.out.suffix.lower() != ".png":
        raise Refusal(f"-o {options.out}: the drawing is a .png.")
    refuse_within(options.data, "-o", options.out)
    return options.out


def _draw(sheet: Sheet, out: Path) -> None:
    from zerosum.core.files import written
    from zerosum.report.charts import to_png
    from zerosum.report.inspection import draw

    out.parent.mkdir(parents=True, exist_ok=True)
    with written(out) as temporary:
        temporary.write_bytes(to_png(draw(sheet)))


def _text(seen: Inspection, record: dict[str, Any]) -> str:
    lines = {
        "sizes": _sizes(record),
        "formats": _counts(record["formats"]),
        "modes": _counts(record["modes"]),
        **{name: _counts(classes) for name, classes in record["labels"].items()},
        "alike": _alike(record),
        "refused": "; ".join(
            f"{len(r['files']):,} {r['reason']} ({', '.join(r['files'][:2])}{', ...' if len(r['files']) > 2 else ''})"
            for r in record["refused"]
        ),
        "others": record["left_alone"],
    }
    body = "\n".join(f"  {name:<12} {text}" for name, text in lines.items() if text)
    return f"{seen.source}: {_summary(record)}\n{body}"


def _summary(record: dict[str, Any]) -> str:
    refused = sum(len(reason["files"]) for reason in record["refused"])
    num = record["pictures"]
    return f"{num:,} picture{'' if num == 1 else 's'}" + (
        f", {refused:,} file{'s' if refused > 1 else ''} refused" if refused else ""
    )


def _sizes(record: dict[str, Any]) -> str:
    (width, height, num), *others = record["sizes"]
    if not others:
        return f"all {width} x {height}"
    spread = "; ".join(
        f"{side} {record[side]['least']:.0f} to {record[side]['most']:.0f} px" for side in ("width", "height")
    )
    return f"{spread}; most often {width} x {height} ({num:,})"


def _counts(counts: dict[str, int], most: int = 7) -> str:
    """As in the drawing's charts: the last place is that of all others."""
    shown = [f"{name} {num:,}" for name, num in sorted(counts.items(), key=lambda item: -item[1])]
    if len(shown) > most:
        shown = [*shown[: most - 1], f"{len(shown) - most + 1} others"]
    return ", ".join(shown)


def _alike(record: dict[str, Any]) -> str:
    copies, alike = record["num_copies"], record["num_alike"]
    parts = [
        f"{copies:,} cop{'ies' if copies > 1 else 'y'} of others" if copies else "",
        f"{alike:,} {'more ' if copies else ''}that look{'' if alike > 1 else 's'} nearly the same" if alike else "",
    ]
    return ", ".join(part for part in parts if part)


def _advice(advice: list[Advice]) -> str:
    return "\n".join(f"* {piece.text}" + (f"\n    {piece.command}" if piece.command else "") for piece in advice)


def _sheet(seen: Inspection, advice: list[Advice], record: dict[str, Any]) -> Sheet:
    """What is drawn: of the pictures a selection, evenly over their names."""
    import numpy as np

    from zerosum.data.advice import shape
    from zerosum.report.inspection import COLUMNS, MOST_PAIRS, ROWS, Sheet

    facts = seen.facts
    rows = np.unique(np.linspace(0, len(seen) - 1, min(len(seen), COLUMNS * ROWS)).round().astype(int))
    return Sheet(
        title=seen.source if seen.is_named else Path(seen.source).resolve().name,
        subtitle=f"{_summary(record)}; {_sizes(record)}",
        contact=[seen.picture(int(row), 192) for row in rows],
        sizes=facts.sizes,
        chosen=None if seen.is_named else shape(facts.sizes),
        kinds=dict(Counter(f"{kind}, {mode}" for kind, mode in zip(facts.formats, facts.modes, strict=True))),
        labels=record["labels"],
        pairs=[
            (seen.picture(a, 192), seen.picture(b, 192), (facts.names[a], facts.names[b]))
            for a, b in seen.pairs(MOST_PAIRS)
        ],
        num_alike=_alike(record),
        refused=[(reason["reason"], len(reason["files"])) for reason in record["refused"]],
        advice=[(piece.topic, piece.text, piece.command) for piece in advice],
    )
