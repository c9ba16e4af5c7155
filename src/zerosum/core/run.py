"""The folder of a run: everything that a run leaves behind, and its names."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerosum.core.errors import Refusal
from zerosum.core.files import save_json, sync, written


class Run:
    """A run's folder, `runs/00012-wgan_gp-photos/`:

    `run.json` (game, config, data, plan, versions), `log.jsonl` (a line each few steps; no clock times, so that a
    resumed run writes the same), `times.jsonl`, `metrics.jsonl`, `reals.png`, `fakes-NNNNNNNNN.png`,
    `snapshot-NNNNNNNNN.safetensors`, `best.safetensors`, `state/` (what exact resume needs) and, made from these,
    `evolution.png`, `training.mp4`, `losses.png`, `report.html`. NNNNNNNNN counts the images drawn.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """An existing run. Raises Refusal if the folder is not one."""
        run = cls(path)
        if not run.path.is_dir():
            raise Refusal(f"{path}: no such folder. Wanted a run's folder, such as runs/00000-dcgan-photos.")
        if not (run.path / "run.json").is_file():
            raise Refusal(f"{path}: not a run's folder (it holds no run.json). `ls runs` shows them.")
        return run

    @classmethod
    def numbered(cls, parent: str | Path, game: str, data: str) -> Run:
        """A new, empty run: the next number under `parent`, then the game's and the data's names."""
        parent = Path(parent)
        parent.mkdir(parents=True, exist_ok=True)
        taken = [int(m[1]) for p in parent.iterdir() if (m := re.match(r"(\d{5})-", p.name))]
        number = max(taken, default=-1) + 1
        path = parent / f"{number:05d}-{game}-{re.sub(r'[^A-Za-z0-9._-]+', '_', data)}"
        path.mkdir()
        return cls(path)

    @classmethod
    def unfinished(cls, parent: str | Path, recipe: str) -> Run | None:
        """The newest run under `parent` of this recipe that is not finished, or lacks its report, if there is one."""
        for path in sorted(Path(parent).glob("*/run.json"), reverse=True):
            run = cls(path.parent)
            with contextlib.suppress(Refusal):
                is_done = run.is_finished and (run.path / "report.html").is_file()
                if run.info.get("recipe") == recipe and not is_done:
                    return run
        return None

    @property
    def info(self) -> dict:
        """`run.json`. Raises Refusal if it cannot be read."""
        try:
            return json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refusal(f"{self.path / 'run.json'}: cannot be read ({error}). Name another run.") from error

    def write_info(self, info: dict) -> None:
        """Replaces `run.json`, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        save_json(self.path / "run.json", info)

    @property
    def is_finished(self) -> bool:
        """Whether the run has drawn all of its images."""
        return bool(self.info.get("finished"))

    @property
    def snapshots(self) -> list[Path]:
        """The kept snapshots, oldest first."""
        return sorted(self.path.glob("snapshot-*.safetensors"))

    @property
    def grids(self) -> list[Path]:
        """The pictures of fixed noise, oldest first."""
        return sorted(self.path.glob("fakes-*.png"))

    @property
    def best(self) -> Path:
        """The best snapshot by the run's own scores, else the newest. Raises Refusal if none is saved yet."""
        best = self.path / "best.safetensors"
        found = best if best.is_file() else next(reversed(self.snapshots), None)
        if found is None:
            raise Refusal(f"{self.path}: no snapshot is saved yet. Train further, or name another run.")
        return found

    def snapshot(self, images: int) -> Path:
        """The path of the snapshot taken after so many images."""
        return self.path / f"snapshot-{images:09d}.safetensors"

    def log(self) -> list[dict[str, Any]]:
        """`log.jsonl`: {"images", "rounds", and each note's mean since the line before}."""
        return _read_lines(self.path / "log.jsonl")

    def metrics(self) -> list[dict[str, Any]]:
        """`metrics.jsonl`: {"images", "snapshot", and what `zerosum evaluate --json` prints}."""
        return _read_lines(self.path / "metrics.jsonl")

    def times(self) -> list[dict[str, Any]]:
        """`times.jsonl`: {"images", "seconds" of play since the run began, "rate" in images a second}."""
        return _read_lines(self.path / "times.jsonl")

    def append(self, file: str, record: dict) -> None:
        """Adds a line of JSON to one of the run's logs."""
        with (self.path / file).open("a", encoding="utf-8") as out:
            out.write(json.dumps(record) + "\n")

    def flush(self) -> None:
        """Brings the logs to the disk, before a checkpoint that counts on them."""
        for path in self.path.glob("*.jsonl"):
            sync(path)

    def sweep(self) -> None:
        """Removes what a kill left half written."""
        for path in [*self.path.glob(".*.tmp"), *self.path.glob("state/.*.tmp")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def forget_after(self, images: int) -> None:
        """Drops what was written after `images` were drawn: a resumed run writes it again."""
        for file in ("log.jsonl", "times.jsonl", "metrics.jsonl"):
            path = self.path / file
            if path.is_file():
                kept = [line for line in _read_lines(path) if line["images"] <= images]
                with written(path) as temporary:
                    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        for path in [*self.grids, *self.snapshots]:
            if int(path.stem.rpartition("-")[2]) > images:
                path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one process. Raises Refusal if another one trains in it."""
        import fcntl

        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Refusal(f"{self.path}: another process trains in this folder. Wait, or use --run.") from error
            handle.write(str(os.getpid()))
            yield

    def clear(self) -> None:
        """Removes the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def _read_lines(path: Path) -> list[dict]:
    """The complete JSON lines of a file; a last line cut off by a kill is passed over."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines
