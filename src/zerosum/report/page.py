"""A run's report: one HTML file that holds all it shows and needs nothing from elsewhere."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import math
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from zerosum.core import generator
from zerosum.core.batch import TableShape
from zerosum.core.errors import Refusal
from zerosum.core.files import written
from zerosum.core.pictures import to_pil
from zerosum.core.run import Run
from zerosum.core.words import without
from zerosum.metrics.names import PICTURES
from zerosum.report import charts, film

MOST_INLINE = 8_000_000  # bytes; a larger film stays a file beside the report
MOST_PICTURE = 1_000_000  # bytes; a larger picture goes in as JPEG
NUM_SAMPLES = 36
SHORT = 15 * 60  # seconds; after such a run, half an hour is the next step

EXPLANATIONS = {
    "kid": "How far the generated pictures as a set lie from real ones, as a network trained on ImageNet sees them. "
    "Lower is better; real pictures against other real pictures give the floor.",
    "kid_random": "The same distance seen by an untrained, random network: a second opinion, "
    "because networks trained on ImageNet can be fooled together.",
    "coverage": "The share of real pictures that have a generated one close by. Higher is better; "
    "a generator that forgets kinds of pictures scores low. Other real pictures give the ceiling.",
}


Makes = Literal["pictures", "rows", "codes"]  # what comes of a run: of noise pictures or rows, or of examples codes


@dataclass(frozen=True)
class Score:
    """A row of the table of scores, its numbers as text ("–" where there is none)."""

    name: str
    value: str
    interval: str
    limit: str  # the floor, or where higher is better the ceiling
    limit_name: str
    gaussian: str
    better: str  # "run", "gaussian" or ""
    explanation: str


@dataclass(frozen=True)
class Chart:
    """A chart as data URIs: for light and dark ground, wide and narrow."""

    light: str
    dark: str
    light_narrow: str
    dark_narrow: str


def write_report(run: Run) -> Path:
    """Makes `evolution.png`, `training.mp4`, `losses.png` and `scores.png` anew, then `report.html` from all there is.

    What the run does not hold yet is left out, and the report says so. Raises Refusal if run.json cannot be read.
    """
    info = run.info
    for make in (film.evolution_strip, film.training_film, charts.loss_chart, charts.score_chart):
        with contextlib.suppress(Refusal):
            make(run)
    template = Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.from_string(template).render(_contents(run, info))
    path = run.path / "report.html"
    with written(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return path


def scores(line: dict[str, Any]) -> list[Score]:
    """The rows of the table of scores, from a line of `metrics.jsonl`."""
    return [_score(name, line[name]) for name in charts.score_names([line])]


def next_commands(run: Run, makes: Makes = "pictures") -> list[tuple[str, str]]:
    """What to try next: (what it does, the command), with the run's own path. What needs a snapshot waits for one."""
    info, path = run.info, shlex.quote(str(run.path))
    command = str(info.get("command") or "zerosum train")
    if info.get("finished"):
        first = ("Train longer: a new run from the start, this one stays", longer(command, _seconds(run)))
    else:
        first = ("Go on where this run stands", command)
    if not _can_be_played(run):
        return [first]
    if makes == "codes":
        return [first, ("Find the codes of pictures or rows, and a map of them", f"zerosum reduce {path} DATA")]
    if makes == "rows":
        return [first, ("Draw rows", f"zerosum sample {path} -n 1000 -o rows.csv")]
    return [
        first,
        ("Draw more pictures", f"zerosum sample {path} -n 64 --seed 1"),
        ("Score it again, with more pictures", f"zerosum evaluate {path} --n {_more_pictures(run)}"),
        ("Walk through what it learnt, as a film", f"zerosum animate {path} --walk 8"),
    ]


def _more_pictures(run: Run) -> int:
    """Twice as many as the newest scores were taken from, at least those that are usual."""
    scored = run.metrics()
    return max(PICTURES, 2 * int((scored[-1].get("n") or 0) if scored else 0))


def longer(command: str, seconds: float = math.inf) -> str:
    """The command of a run that took so many seconds, for a longer one: its `--minutes` or `--images` doubled, or
    after less than a quarter of an hour `--minutes 30`.

    Without its `--run` too: a finished run's folder stays as it is.
    """
    words = without(shlex.split(command), "--run")
    for flag in ("--minutes", "--images") if seconds >= SHORT else ():
        for i, word in enumerate(words):
            name, _, value = word.partition("=")
            if name != flag:
                continue
            with contextlib.suppress(ValueError, IndexError):
                doubled = f"{2 * float(value or words[i + 1]):.15g}"
                words[i : i + 1 if value else i + 2] = [flag, doubled]
                return shlex.join(words)
    return shlex.join([*without(without(words, "--minutes"), "--images"), "--minutes", "30"])


def _contents(run: Run, info: dict[str, Any]) -> dict[str, Any]:
    """All that the template shows."""
    metrics = run.metrics()
    best = played(run)
    makes, (samples, images) = what_comes_of(best), _samples(run, best)
    scored = next((line for line in reversed(metrics) if line["images"] == images), metrics[-1] if metrics else {})
    return {
        **_headline(run, info),
        "verdict": (scored.get("verdict") or {}).get("text", ""),
        "samples": samples,
        "samples_images": None if images is None else film.count(images),
        "reals": _picture_file(run.path / "reals.png"),
        "scores": scores(scored),
        "health": _health(run.diagnosis()),
        "scored_images": film.count(scored["images"]) if scored else "",
        "num_scored": scored.get("n"),
        "evolution": _evolution(run),
        "film": _film_file(run.path / "training.mp4"),
        "poster": _poster(run),
        "walk": _film_file(run.path / "walk.mp4"),
        "walk_poster": _walk_poster(run.path / "walk.mp4"),
        "looks": _picture_file(run.path / "looks.png"),
        "losses": _chart(charts.draw_losses, run.log()),
        "score_chart": _chart(charts.draw_scores, metrics) if charts.score_names(metrics) else None,
        "playable": _can_be_played(run),
        "settings": _settings(info),
        "commands": next_commands(run, makes),
        "makes": makes,
        "depicts": info.get("shape", {}).get("height") != 1,
        "is_duel": len(info.get("parameters", {"D", "G"})) > 1,
    }


def _health(found: dict[str, Any]) -> dict[str, Any]:
    """The findings with their curves as points of an SVG of 100 x 24, the balance in %, the outlook."""
    told = [
        {
            **finding,
            "kind": finding["kind"].replace("_", " "),
            "since": film.count(finding["since"]),
            "curves": [(n, _points(v)) for n, v in finding["evidence"].items() if n != "images" and _points(v)],
        }
        for finding in found.get("findings", [])
    ]
    balance, is_accused = found.get("balance"), any(finding["severity"] != "note" for finding in told)
    return {
        "looked": bool(found),
        "well": "" if is_accused else found.get("well", "Nothing to complain of."),
        "findings": told,
        "balance": None if balance is None else round(100 * balance),
        "outlook": found.get("outlook", {}).get("text", ""),
    }


def _points(values: list[float | None]) -> str:
    """The polyline of a curve; what could not be measured is passed over."""
    known = [(i, value) for i, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    scale = 20 / (high - low) if high > low else 0
    return " ".join(f"{100 * i / (len(values) - 1):.1f},{22 - (v - low) * scale:.1f}" for i, v in known)


def _size(shape: dict[str, Any]) -> tuple[str, str]:
    return f"{shape.get('width', '?')} × {shape.get('height', '?')}", "pixels a picture"


def _headline(run: Run, info: dict[str, Any]) -> dict[str, Any]:
    drawn = _images_drawn(run)
    total, shape, times = info.get("total") or 0, info.get("shape", {}), run.times()
    is_table = shape.get("height") == 1
    what = "rows" if is_table else "images"
    facts = [(film.count(drawn), f"{what} drawn")]
    if times:
        seconds = max(_seconds(run), 1e-9)
        facts += [_duration(seconds), (_number(times[-1]["images"] / seconds), f"{what} a second")]
    facts += [(str(shape["width"]), "columns") if is_table else _size(shape)]
    if parameters := sum(v for v in info.get("parameters", {}).values() if isinstance(v, int)):
        facts += [(f"{parameters / 1e6:.1f} M" if parameters >= 1e5 else f"{parameters:,}", "parameters")]
    return {
        "what": what,
        "folder": run.path.resolve().name,
        "run_path": str(run.path),
        "game": info.get("game", "?"),
        "data": info.get("data", {}).get("name", "?"),
        "finished": bool(info.get("finished")),
        "progress": min(100, round(100 * drawn / total)) if total else None,
        "total": film.count(total) if total else "",
        "facts": facts,
    }


def _seconds(run: Run) -> float:
    """Seconds of play so far."""
    return next((float(line["seconds"]) for line in reversed(run.times())), 0.0)


def _images_drawn(run: Run) -> int:
    ends = [line["images"] for lines in (run.log(), run.times(), run.metrics()) for line in lines[-1:]]
    return max([*ends, *(film.images_of(path) for path in run.grids[-1:])], default=0)


def _can_be_played(run: Run) -> bool:
    return bool(run.snapshots) or (run.path / "best.safetensors").is_file()


def _duration(seconds: float) -> tuple[str, str]:
    if seconds < 90:
        return f"{seconds:.0f}", "seconds"
    return (f"{seconds / 60:.1f}", "minutes") if seconds < 7200 else (f"{seconds / 3600:.1f}", "hours")


def played(run: Run) -> Any:
    """The best snapshot's generator; None where no snapshot can be played."""
    with contextlib.suppress(Refusal):
        return generator.load(run.best)
    return None


def what_comes_of(best: Any) -> Makes:
    """What a run's generator, as `played` gives it, is good for; with None, pictures are taken to be."""
    if isinstance(best, generator.Encodes) and not isinstance(best, generator.Samples):
        return "codes"
    return "rows" if best is not None and isinstance(best.header.shape, TableShape) else "pictures"


def _samples(run: Run, best: Any) -> tuple[str | None, int | None]:
    """Samples of the best snapshot as a data URI and its images; the newest grid where it draws none."""
    with contextlib.suppress(Refusal):
        if best is not None:
            return _picture(best.grid(NUM_SAMPLES)), best.header.images
    if run.grids:
        return _picture_file(run.grids[-1]), film.images_of(run.grids[-1])
    return None, None


def _evolution(run: Run) -> list[tuple[str, list[str]]]:
    """(images drawn, pictures as data URIs), a column each."""
    try:
        columns = film.evolution(run)
    except (Refusal, KeyError):
        return []
    scale = max(1, 96 // max(columns[0][1].shape[1:3]))  # whole, so that small pictures are not blurred
    larger = [(images, pictures.repeat(scale, 1).repeat(scale, 2)) for images, pictures in columns]
    return [(film.count(images), [_picture(to_pil(p)) for p in pictures]) for images, pictures in larger]


def _poster(run: Run) -> str | None:
    try:
        return _jpeg(film.last_frame(run))
    except Refusal:
        return None


def _walk_poster(path: Path) -> str | None:
    first = film.first_frame(path) if path.is_file() else None
    return _jpeg(first) if first else None


def _score(name: str, score: dict[str, Any]) -> Score:
    higher = "ceiling" in score
    value, gaussian = score["value"], score.get("pca_gaussian")
    better = ""
    if gaussian is not None and np.isfinite([value, gaussian]).all() and value != gaussian:
        better = "run" if (value > gaussian) == higher else "gaussian"
    interval = f"{_number(score['low'])} to {_number(score['high'])}" if {"low", "high"} <= score.keys() else ""
    return Score(
        charts.SCORES.get(name, name.replace("_", " ")),
        _number(value),
        interval,
        _number(score.get("ceiling" if higher else "floor")),
        "ceiling" if higher else "floor",
        _number(gaussian),
        better,
        EXPLANATIONS.get(name, "Higher is better." if higher else "Lower is better."),
    )


def _number(value: float | None) -> str:
    """Three digits that count; "–" for none."""
    if value is None:
        return "–"
    if not np.isfinite(value):
        return str(value)
    if value and abs(value) < 1e-4:
        return f"{value:.1e}"
    decimals = 3 if value == 0 else min(5, max(0, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{decimals}f}"


def _settings(info: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles with their pairs of name and value; what is None or empty is left out."""
    networks = {name: f"{n:,} parameters" for name, n in info.get("parameters", {}).items() if isinstance(n, int)}
    parts = {
        f"Game: {info.get('game', '?')}": info.get("config", {}),
        "Plan": {"total": f"{info['total']:,} images" if info.get("total") else None, **info.get("plan", {})},
        "Data": info.get("data", {}),
        "Networks": networks,
        "Versions": info.get("versions", {}),
        "Machine": info.get("machine", {}),
    }
    rows = {title: [(k, _plain(v)) for k, v in part.items() if v is not None] for title, part in parts.items()}
    return [(title, pairs) for title, pairs in rows.items() if pairs]


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _chart(draw: Callable[..., Figure], lines: Sequence[dict]) -> Chart | None:
    if not lines:
        return None
    uris = [
        _uri(charts.to_png(draw(lines, theme, columns), transparent=True), "image/png")
        for columns in (3, 1)
        for theme in (charts.LIGHT, charts.DARK)
    ]
    return Chart(*uris)


def _film_file(path: Path) -> str | None:
    """A film as a data URI, or where it is large its name: it lies beside the report."""
    if not path.is_file():
        return None
    return path.name if os.path.getsize(path) > MOST_INLINE else _uri(path.read_bytes(), "video/mp4")


def _picture_file(path: Path) -> str | None:
    if not path.is_file():
        return None
    data = path.read_bytes()
    return _uri(data, "image/png") if len(data) <= MOST_PICTURE else _picture(Image.open(io.BytesIO(data)))


def _picture(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return _uri(buffer.getvalue(), "image/png") if buffer.tell() <= MOST_PICTURE else _jpeg(picture)


def _jpeg(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture = picture.convert("RGB")
    picture.thumbnail((1400, 1400), Image.Resampling.LANCZOS)
    picture.save(buffer, "JPEG", quality=90)
    return _uri(buffer.getvalue(), "image/jpeg")


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
