"""A run as the browser is told of it: what `runs` lists, and what its own page shows."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zerosum.core.errors import Refusal
from zerosum.core.files import digest
from zerosum.core.run import Run
from zerosum.metrics.names import SCORES
from zerosum.studio.journal import Journal

POINTS = 400  # of a curve: more than a chart has pixels for
ODD = (TypeError, ValueError, LookupError, AttributeError, OverflowError)  # what a run.json of other things leads to


@dataclass(frozen=True)
class Entry:
    """A run in the list. `state`: finished, training, stopped, or unreadable, and then `says` tells why."""

    id: str
    folder: str  # its name, without the way there
    game: str = ""
    data: str = ""
    images: int = 0
    total: int = 0
    state: str = "unreadable"
    verdict: str = ""
    changed: float = 0.0  # seconds since 1970
    newest: int | None = None  # images of the newest grid
    draws: bool = False  # whether there is a snapshot to draw with
    process: int | None = None  # that trains in it now, on this machine
    says: str = ""


class Watched:
    """One run that is watched. Its logs are kept in memory, and read on."""

    def __init__(self, path: Path):
        self.run = Run(path)
        self.id = name_of(path)
        self._log, self._times = Journal(self.run, "log.jsonl"), Journal(self.run, "times.jsonl")
        self._lock = threading.Lock()

    def entry(self) -> Entry:
        """The run as it stands. A folder that cannot be read is one too, and says why."""
        try:
            return self._entry(self.run.info)
        except Refusal as refusal:
            return Entry(self.id, self.run.path.name, says=str(refusal))
        except ODD as error:
            says = f"{self.run.path / 'run.json'}: holds other things than a run's ({error})."
            return Entry(self.id, self.run.path.name, says=says)

    def _entry(self, info: dict[str, Any]) -> Entry:
        with self._lock:
            drawn = self._times.read().last
        total, grids, judged = int(info.get("total") or 0), self.run.grids, self.run.metrics()
        return Entry(
            id=self.id,
            folder=self.run.path.name,
            game=str(info.get("game", "?")),
            data=str((info.get("data") or {}).get("name", "?")),
            images=min(drawn, total or drawn),
            total=total,
            state="finished" if info.get("finished") else "training" if self.run.is_held else "stopped",
            verdict=_verdict(judged),
            changed=self._changed(),
            newest=int(grids[-1].stem.rpartition("-")[2]) if grids else None,
            draws=_draws(info) and self._has_snapshot(),
            process=self.run.process,
        )

    def details(self) -> dict[str, Any]:
        """The list's entry, and with it the findings, the outlook, the command, the grids and the seconds so far."""
        entry, diagnosis = self.entry(), self.run.diagnosis()
        if entry.state == "unreadable":
            return asdict(entry)
        outlook = diagnosis.get("outlook") if isinstance(diagnosis, dict) else None
        return asdict(entry) | {
            "command": str(self.run.info.get("command") or ""),
            "findings": _findings(diagnosis),
            "well": str(diagnosis.get("well") or "") if isinstance(diagnosis, dict) else "",
            "outlook": str(outlook.get("text", "")) if isinstance(outlook, dict) else "",
            "grids": [int(path.stem.rpartition("-")[2]) for path in self.run.grids],
            "reals": (self.run.path / "reals.png").is_file(),
            "now": time.time(),
        }

    def charts(self) -> dict[str, Any]:
        """{"log": the notes' curves, thinned; "scores": each score's points with interval, floor and baseline}."""
        with self._lock:
            log = self._log.read().thinned(POINTS)
        judged = self.run.metrics()[-POINTS:]
        return {
            "log": log,
            "scores": [score for name, title in SCORES.items() if (score := _score(name, title, judged))],
        }

    def grid(self, images: int | None) -> Path:
        """The grid drawn after so many images, None: the newest. Raises Refusal where there is none such."""
        for path in reversed(self.run.grids):
            if images is None or int(path.stem.rpartition("-")[2]) == images:
                return path
        raise Refusal("There is no such picture in this run.")

    def snapshot(self) -> Path:
        """The file with its best generator. Raises Refusal where none that draws is saved, or nothing can be read."""
        try:
            draws = _draws(self.run.info)
        except ODD as error:
            raise Refusal(f"{self.run.path / 'run.json'}: holds other things than a run's ({error}).") from error
        if not (draws and self._has_snapshot()):
            raise Refusal("This run has saved nothing that draws pictures yet.")
        return self.run.best

    def _changed(self) -> float:
        files = [self.run.path / name for name in ("run.json", "times.jsonl")]
        return max(path.stat().st_mtime for path in files if path.is_file())

    def _has_snapshot(self) -> bool:
        try:
            return self.run.best.is_file()
        except Refusal:
            return False


def name_of(path: Path | str) -> str:
    """The name by which the browser asks for something: a hash, which leads nowhere but through the list."""
    return digest(str(path))[:12]


def _draws(info: dict[str, Any]) -> bool:
    """Whether its generator makes pictures from noise alone."""
    return bool(info.get("samples", True)) and (info.get("shape") or {}).get("height") != 1


def _verdict(judged: list[dict[str, Any]]) -> str:
    verdict = judged[-1].get("verdict") if judged else None
    return str(verdict.get("text", "")) if isinstance(verdict, dict) else ""


def _findings(diagnosis: Any) -> list[dict[str, Any]]:
    """What ails the run, in words alone; none of what is no finding."""
    found = diagnosis.get("findings") if isinstance(diagnosis, dict) else None
    held = [finding for finding in found if isinstance(finding, dict)] if isinstance(found, list) else []
    words = ("kind", "severity", "says", "why", "remedy")
    since = [_number(finding.get("since")) or 0 for finding in held]
    return [{"since": at, **{w: str(one.get(w, "")) for w in words}} for at, one in zip(since, held, strict=True)]


def _score(name: str, title: str, judged: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A score's curve; None where it was never taken."""
    held = [(line["images"], line[name]) for line in judged if isinstance(line.get(name), dict)]
    points = [
        {"images": images, "value": value, "low": _number(score.get("low")), "high": _number(score.get("high"))}
        for images, score in held
        if (value := _number(score.get("value"))) is not None
    ]
    if not points:
        return None
    last, limit = held[-1][1], "floor" if "floor" in held[-1][1] else "ceiling"
    lines = {"limit": _number(last.get(limit)), "gaussian": _number(last.get("pca_gaussian"))}
    return {"name": name, "title": title, "limit_name": limit, **lines, "points": points}


def _number(value: Any) -> float | None:
    try:
        return float(value) if type(value) in (int, float) and math.isfinite(value) else None
    except OverflowError:  # an int that no float can hold
        return None
