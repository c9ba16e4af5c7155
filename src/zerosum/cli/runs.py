"""List the runs there are: how far each came, how good it is, and how it goes on."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from zerosum.cli._common import parse, show
from zerosum.core.errors import Refusal
from zerosum.core.run import Run

_DEFAULT = Path("runs")


@dataclass(frozen=True)
class Options:
    """What `zerosum runs` takes."""

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="[DIR]")] = _DEFAULT
    """Where the runs are kept, or one run's folder."""
    json: bool = False
    """Print JSON: [{"run", "game", "data", "images", "total", "state", "early", "scores", "verdict", "changed",
    "next", "use"}]."""


@dataclass(frozen=True)
class Entry:
    """A run, as it is listed. `state`: finished, training, stopped, or unreadable, and then the rest says nothing."""

    run: str
    game: str = "?"
    data: str = "?"
    images: int = 0  # drawn so far
    total: int = 0
    state: str = "unreadable"
    early: bool = False  # finished by --stop, before its total
    scores: dict[str, float] | None = None  # of the newest judged snapshot: kid, kid_random, coverage
    verdict: str = ""
    changed: str = ""  # year-month-day hour:minute, of the newest line or the end
    next: str = ""  # the command that goes on with it, or its report
    use: str = ""  # the command that uses what a finished one has learnt


def main(argv: list[str]) -> None:
    """`zerosum runs [DIR]`. Raises Refusal for a folder that is not there."""
    options = parse(Options, argv, "runs", "List the runs there are.")
    folder = options.folder
    if not folder.is_dir() and folder != _DEFAULT:
        raise Refusal(f"{folder}: no such folder. Wanted one that holds runs, such as runs.")
    paths = [folder / "run.json"] if (folder / "run.json").is_file() else sorted(folder.glob("*/run.json"))
    entries = [_entry(Run(path.parent)) for path in paths]
    text = "\n".join(map(_shown, entries))
    show([asdict(entry) for entry in entries], options.json, text or _none_in(folder))


def _none_in(folder: Path) -> str:
    """For the usual place how to begin, for another that there are none; runs may lie anywhere."""
    begin = f"{folder}: no runs yet. Begin with: zerosum train photos/ --minutes 10"
    none = begin if folder == _DEFAULT else f"no runs in {folder}."
    return f"{none}\nRuns that --run or --runs put elsewhere: zerosum runs DIR"


def _entry(run: Run) -> Entry:
    try:
        info = run.info
    except Refusal as refusal:
        return Entry(str(run.path), next=str(refusal))
    judged = run.metrics()
    newest = judged[-1] if judged else {}
    finished = bool(info.get("finished"))
    changed = max(path.stat().st_mtime for path in (run.path / "run.json", run.path / "times.jsonl") if path.is_file())
    return Entry(
        run=str(run.path),
        game=info.get("game", "?"),
        data=(info.get("data") or {}).get("name", "?"),
        images=run.images,
        total=info.get("total") or 0,
        state="finished" if finished else "training" if run.is_held else "stopped",
        early=bool(info.get("stopped")),
        scores={k: v["value"] for k, v in newest.items() if isinstance(v, dict) and "value" in v} or None,
        verdict=(newest.get("verdict") or {}).get("text", ""),
        changed=time.strftime("%Y-%m-%d %H:%M", time.localtime(changed)),
        next=str(run.path / "report.html") if finished else info.get("command", "zs.train(...) as before"),
        use=_use(info, shlex.quote(str(run.path))) if finished else "",
    )


def _use(info: dict[str, Any], path: str) -> str:
    if not info.get("samples", True):
        return f"zerosum reduce {path} DATA -o codes.parquet"
    rows = (info.get("shape") or {}).get("height") == 1
    return f"zerosum sample {path} {'-n 1000 -o rows.csv' if rows else '-n 64 -o grid.png'}"


def _shown(entry: Entry) -> str:
    """Three lines or four: what it is, how good, and how it goes on."""
    if entry.state == "unreadable":
        return f"{entry.run}\n    {entry.next}\n"
    drawn = f"{entry.images:,} of {entry.total:,} images"
    if entry.early:
        drawn = f"by --stop after {drawn}: nothing more was expected"
    lines = [entry.run, f"{entry.game} on {entry.data}: {entry.state}, {drawn}, {entry.changed}"]
    if entry.verdict:
        lines.append(entry.verdict)
    if entry.state == "finished":
        lines.append(f"Report: {entry.next}   Use: {entry.use}")
    elif entry.state == "stopped":
        lines.append(f"To go on: {entry.next}")
    return "\n    ".join(lines) + "\n"
