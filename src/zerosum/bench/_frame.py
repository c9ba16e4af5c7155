"""The frame of every bench: budgets, seeds, measures against thresholds, cached runs, JSON, the docs' table."""

from __future__ import annotations

import ast
import gzip
import importlib
import json
import math
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import cache_dir, digest, save_json, written
from zerosum.core.plan import Plan
from zerosum.core.run import Run

Budget = Literal["smoke", "quick", "full"]
FOLDER = Path(__file__).parent
RESULTS = Path("bench/results")


@dataclass(frozen=True)
class Measure:
    """One figure of a row: a value a seed, judged by the worst of them. The threshold stands in thresholds.toml."""

    name: str
    values: Sequence[float]
    unit: str
    threshold: float
    better: Literal["higher", "lower"]
    baseline: float | None = None
    baseline_name: str = ""
    applies: bool = True  # False: printed but not judged, because this machine cannot show it; `note` says why
    note: str = ""

    @property
    def worst(self) -> float:
        """The value that is furthest from good; NaN counts as worst."""
        if any(math.isnan(value) for value in self.values):
            return math.nan
        return min(self.values) if self.better == "higher" else max(self.values)

    @property
    def passes(self) -> bool:
        """Whether the worst value reaches the threshold; one that does not apply fails nothing."""
        if not self.applies:
            return True
        return self.worst >= self.threshold if self.better == "higher" else self.worst <= self.threshold


def measure(row: str, name: str, values: Sequence[float], **more: Any) -> Measure:
    """A measure whose threshold, unit and direction stand in thresholds.toml under [row.name]."""
    known = thresholds()
    entry = known[row][name]
    return Measure(name, list(values), entry["unit"], entry["threshold"], entry["better"], **more)


def beside(
    row: str, ours: Sequence[Mapping], theirs: Sequence[Mapping], name: str, scores: Sequence[str], prefix: str = ""
) -> list[Measure]:
    """Each of a panel's scores as a multiple of what `name` gets with the same seed; measures `prefix` + score."""
    found = []
    for score in scores:
        values = [a[score]["value"] / max(b[score]["value"], 1e-9) for a, b in zip(ours, theirs, strict=True)]
        baseline = {"baseline": theirs[0][score]["value"], "baseline_name": f"{name}'s score, first seed"}
        found.append(measure(row, prefix + score, values, **baseline))
    return found


def thresholds() -> dict[str, dict[str, dict]]:
    """thresholds.toml: by row and measure, each with threshold, unit, better and reason."""
    return tomllib.loads((FOLDER / "thresholds.toml").read_text(encoding="utf-8"))


def rows() -> list[str]:
    """The rows that have a bench."""
    return sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))


def run_bench(row: str, budget: Budget, seeds: Sequence[int]) -> dict:
    """Runs one row's bench and returns its record, the JSON of DESIGN.md. Raises Refusal for an unknown row."""
    if row not in rows():
        raise Refusal(f"no bench '{row}'{nearest(row, rows())}")
    from zerosum.core.machine import describe, versions

    module = importlib.import_module(f"zerosum.bench.{row}")
    bench: Callable[[Budget, Sequence[int]], list[Measure]] = module.bench
    seeds = getattr(module, "SEEDS", seeds)  # a row that trains nothing to be judged says so
    begin = time.monotonic()
    measures = bench(budget, seeds)
    flag = "" if budget == "full" else f" --{budget}"
    return {
        "row": row,
        "passes": all(m.passes for m in measures) if budget != "smoke" else None,  # too short to tell
        "quick": budget != "full",
        "command": f"zerosum bench {row}{flag} --seeds {' '.join(map(str, seeds))}",
        "seconds": round(time.monotonic() - begin, 1),
        "machine": describe(),
        "versions": versions(),
        "seeds": list(seeds),
        "commit": _commit(),
        "deterministic": getattr(module, "DETERMINISTIC", True),
        "measures": [asdict(m) | {"worst": m.worst, "passes": m.passes} for m in measures],
    }


def save_record(record: dict) -> Path:
    """Writes bench/results/ROW.json, or bench/results/quick/ROW.json for less than the full budget."""
    folder = RESULTS / "quick" if record["quick"] else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['row']}.json"
    save_json(path, record)
    return path


def cached_run(game: str, source: Source, plan: Plan, settings: dict | None = None) -> Run:
    """The finished run of this recipe: from the cache, or trained now (and gone on with where it was stopped)."""
    from zerosum import api
    from zerosum.training.screen import Bar
    from zerosum.training.trainer import recipe_of, train

    played = api.build(game, source, settings or {}, plan.seed)
    run = Run(cache_dir("runs") / f"{game}-{recipe_of(played, source, plan)}-{_code(game)}")
    if not ((run.path / "run.json").is_file() and run.is_finished):
        train(played, source, run, plan, Bar(60))  # without a report, which nobody reads
    return run


def _code(game: str) -> str:
    """A hash of the sources that decide what a run of this game comes to: a change of theirs makes a new run."""
    files = {FOLDER.parent / "training" / "match.py", FOLDER.parent / "training" / "average.py"}
    _gather(FOLDER.parent / "games" / f"{game}.py", files)
    return digest([path.read_text(encoding="utf-8") for path in sorted(files)])


def _gather(file: Path, found: set[Path]) -> None:
    """Adds the file to `found`, and what it imports from the rooms of games, layers and losses."""
    found.add(file)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        parts = (node.module or "").split(".")[1:] if isinstance(node, ast.ImportFrom) else []
        theirs = FOLDER.parent.joinpath(*parts).with_suffix(".py")
        if parts and parts[0] in ("games", "layers", "losses") and theirs not in found:
            _gather(theirs, found)


def recorded(row: str) -> list[dict]:
    """The recorded runs that a row judges, from `records/ROW.json.gz`. Raises Refusal where there are none."""
    path = FOLDER / "records" / f"{row}.json.gz"
    if not path.is_file():
        raise Refusal(f"bench {row}: no recorded runs are here. `python -m zerosum.bench.{row}` makes them (an hour).")
    return json.loads(gzip.decompress(path.read_bytes()))


def record(row: str, cases: Iterable[Sequence], play: Callable[[Any, Path], dict], fresh: bool) -> None:
    """Plays the cases that are not recorded yet, or all of them, and keeps what `play` returns under "case"."""
    path = FOLDER / "records" / f"{row}.json.gz"
    kept = recorded(row) if path.is_file() and not fresh else []
    done = [entry["case"] for entry in kept]
    path.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for case in (case for case in cases if list(case) not in done):
            kept.append({"case": list(case), **play(case, Path(folder))})
            lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in kept)
            with written(path) as temporary:
                temporary.write_bytes(gzip.compress(f"[\n{lines}\n]\n".encode(), mtime=0))


def table(records: Sequence[dict]) -> str:
    """The docs' table, in Markdown."""
    lines = ["| row | measure | worst | wanted | baseline | passes |", "|---|---|---|---|---|---|"]
    for record in records:
        for m in record["measures"]:
            sign = "at least" if m["better"] == "higher" else "at most"
            baseline = f"{m['baseline']:.3g} ({m['baseline_name']})" if m["baseline"] is not None else ""
            verdict = ("yes" if m["passes"] else "**no**") if m["applies"] else f"not judged: {m['note']}"
            wanted = f"{sign} {m['threshold']:g} {m['unit']}"
            lines.append(f"| {record['row']} | {m['name']} | {m['worst']:.3g} | {wanted} | {baseline} | {verdict} |")
    return "\n".join(lines)


def load_records(folder: Path = RESULTS) -> list[dict]:
    """The saved records of a folder, by row."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _commit() -> str | None:
    """The commit of the checkout that this file lies in, with a + where it was changed; None outside one."""
    git = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
