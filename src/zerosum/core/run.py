"""The folder of a run: everything that a run leaves behind, and its names."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from zerosum.core.errors import Refusal
from zerosum.core.files import room_for, save_json, sync, written

SETTLE = 0.5  # seconds in which two claims on one folder must have seen each other
PATIENCE = 0.2  # seconds for which a lock is asked for: `zerosum runs` holds it for an instant, to see if it is free
ASIDE = "set-aside-"


class Run:
    """A run's folder, `runs/00012-wgan_gp-photos/`:

    `run.json` (game, config, data, plan, versions), `log.jsonl` (a line each few steps; no clock times, so that a
    resumed run writes the same), `times.jsonl`, `metrics.jsonl`, `vitals.jsonl`, `findings.jsonl` and `diagnosis.json`
    (its health in numbers, what came up, what it comes to now), `reals.png`, `fakes-NNNNNNNNN.png`,
    `snapshot-NNNNNNNNN.safetensors`, `best.safetensors`, `state/` (what exact resume needs) and, made from these,
    `evolution.png`, `training.mp4`, `losses.png`, `report.html`. NNNNNNNNN counts the images drawn.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """An existing run; its number will do, `runs/12`. Raises Refusal if the folder is not one."""
        run = cls(folder(path))
        if not run.path.is_dir():
            raise Refusal(f"{path}: no such folder. Wanted a run's folder, such as runs/00000-dcgan-photos.")
        if not (run.path / "run.json").is_file():
            raise Refusal(f"{path}: not a run's folder (it holds no run.json). `zerosum runs` lists them.")
        return run

    @classmethod
    def numbered(cls, parent: str | Path, game: str, data: str) -> Run:
        """A new, empty run: the next number under `parent`, then the game's and the data's names."""
        parent = Path(parent)
        parent.mkdir(parents=True, exist_ok=True)
        while True:
            taken = [int(m[1]) for p in parent.iterdir() if (m := re.match(r"(\d{5})-", p.name))]
            number = max(taken, default=-1) + 1
            path = parent / f"{number:05d}-{game}-{re.sub(r'[^A-Za-z0-9._-]+', '_', data)}"
            with contextlib.suppress(FileExistsError):  # another process has just taken the number
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
        path = self.path / "run.json"
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise Refusal(f"{path}: cannot be read ({error}). Name another run.") from error
        if not isinstance(info, dict):
            raise Refusal(f"{path}: holds no record of a run. Name another run.")
        return info

    def write_info(self, info: dict) -> None:
        """Replaces `run.json`, whole or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        save_json(self.path / "run.json", info)

    @property
    def is_finished(self) -> bool:
        """Whether the run is over: it has drawn all of its images, or with --stop as many as were of use."""
        return bool(self.info.get("finished"))

    @property
    def images(self) -> int:
        """Real pictures drawn, by the last line of times; at most the total, beyond which the last batch may go."""
        drawn = next((line["images"] for line in reversed(self.times())), 0)
        return min(drawn, self.info.get("total") or drawn)

    @property
    def snapshots(self) -> list[Path]:
        """The kept snapshots, oldest first."""
        return self._numbered("snapshot", "safetensors")

    @property
    def grids(self) -> list[Path]:
        """The pictures of fixed noise, oldest first."""
        return self._numbered("fakes", "png")

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
        return self.lines("log.jsonl")

    def metrics(self) -> list[dict[str, Any]]:
        """`metrics.jsonl`: {"images", "snapshot", and what `zerosum evaluate --json` prints}."""
        return self.lines("metrics.jsonl")

    def times(self) -> list[dict[str, Any]]:
        """`times.jsonl`: {"images", "seconds" of play since the run began, "rate" in images a second}."""
        return self.lines("times.jsonl")

    def findings(self) -> list[dict[str, Any]]:
        """`findings.jsonl`: {"images" when found, and the fields of `training.monitor.Finding`}, as they came up."""
        return self.lines("findings.jsonl")

    def diagnosis(self) -> dict[str, Any]:
        """`diagnosis.json`: what `training.monitor.diagnosis` made of the last look; empty before the first."""
        try:
            return json.loads((self.path / "diagnosis.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def lines(self, file: str) -> list[dict[str, Any]]:
        """The complete lines of one of the run's logs; none where it is not there."""
        return _read_lines(self.path / file)

    def lines_from(self, file: str, start: int) -> tuple[list[dict[str, Any]], int]:
        """The complete lines of a log from its byte `start` on, and the byte after the last of them: for who follows a
        run that trains, and need not read again what is known. Nothing where the file is not there."""
        path = self.path / file
        if not path.is_file():
            return [], start
        with path.open("rb") as log:
            log.seek(start)
            whole = log.read().rpartition(b"\n")
        return _parsed(whole[0].decode("utf-8", errors="replace")), start + len(whole[0] + whole[1])

    def append(self, file: str, record: dict) -> None:
        """Adds a line of JSON to one of the run's logs."""
        path = self.path / file
        with room_for(path), path.open("a", encoding="utf-8") as out:
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
        """Drops what was written after `images` were drawn: a resumed run writes it again.

        Below 0, where the run begins again: if there are checkpoints, all of them damaged, what it made is set aside.
        """
        if images < 0 and any(self.path.glob("state/[0-9]*")):
            self._set_aside()
        for file in ("log.jsonl", "times.jsonl", "metrics.jsonl", "vitals.jsonl", "findings.jsonl"):
            path = self.path / file
            if path.is_file():
                kept = [line for line in _read_lines(path) if line["images"] <= images]
                with written(path) as temporary:
                    temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        for path in [*self.grids, *self.snapshots]:
            if _number(path) > images:
                path.unlink()

    def _numbered(self, name: str, suffix: str) -> list[Path]:
        """The files `name-NNNNNNNNN.suffix`, by their numbers; what a user has put beside them is none."""
        found = [path for path in self.path.glob(f"{name}-*.{suffix}") if path.stem[len(name) + 1 :].isdecimal()]
        return sorted(found, key=_number)

    def _set_aside(self) -> None:
        """Moves all that the run made into `set-aside-N/`, a run's folder whose snapshots can still be used."""
        aside = self.path / f"{ASIDE}{1 + max(map(_number, self.path.glob(f'{ASIDE}*')), default=0)}"
        aside.mkdir()
        shutil.copyfile(self.path / "run.json", aside / "run.json")
        stay = ("run.json", ".lock", ".holder")
        moved = [p for p in self.path.iterdir() if p.name not in stay and not p.name.startswith(ASIDE)]
        for path in sorted(moved, key=lambda p: p.name == "state"):  # last: until then a kill leaves this to be done
            os.rename(path, aside / path.name)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one process. Raises Refusal if another one trains in it.

        The system frees the lock when its process ends, be it by kill -9. On a file system without locks (flock), a
        file names the holder, and counts for as long as that process lives.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a+") as handle:
            if _flock(handle, self.path):
                with contextlib.suppress(OSError):  # on a full disk, it goes without its number
                    os.ftruncate(handle.fileno(), 0)
                    os.write(handle.fileno(), str(os.getpid()).encode())
                yield
            else:
                with _claimed(self.path):
                    yield

    @property
    def is_held(self) -> bool:
        """Whether a process trains in the folder now: it holds the lock. To ask is to hold it too, for an instant,
        which one that is about to train waits for (`locked`)."""
        import fcntl

        try:
            with (self.path / ".lock").open() as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no lock was ever there, or the file system has none
            return (self.path / ".holder").exists()
        return False

    @property
    def process(self) -> int | None:
        """The process of this machine that trains in the folder now; None where none does, or another machine's."""
        if not self.is_held:
            return None
        machine, _, number = (_holder(self.path / ".holder") or _holder(self.path / ".lock")).rpartition(" ")
        is_here = machine in ("", socket.gethostname()) and number.isdecimal() and self._is_open_in(int(number))
        return int(number) if is_here else None

    def interrupt(self) -> None:
        """Asks the process that trains in the folder to save and end, as Ctrl-C does. Raises Refusal where none does,
        or none that may be asked from here."""
        process = self.process
        if process is None:
            raise Refusal(f"{self.path}: no process of this machine trains in this folder now.")
        try:
            os.kill(process, signal.SIGINT)
        except OSError as error:
            raise Refusal(f"{self.path}: process {process} cannot be stopped ({error.strerror}).") from error

    def _is_open_in(self, process: int) -> bool:
        """Whether the process has the lock's file open, as far as the system tells: a lock over a network may be held
        by another machine's process of that number."""
        if not Path("/proc/self/fd").is_dir():
            return True
        with contextlib.suppress(OSError):
            lock = (self.path / ".lock").resolve()
            return any(Path(os.path.realpath(f)) == lock for f in Path(f"/proc/{process}/fd").iterdir())
        return False

    def clear(self) -> None:
        """Removes the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def folder(path: str | Path) -> Path:
    """The run's folder that a number alone, `runs/12` or `runs/00012`, stands for; any other path as it is."""
    path = Path(path)
    if path.exists() or not path.name.isdecimal():
        return path
    named = [p for p in path.parent.glob(f"{int(path.name):05d}-*") if (p / "run.json").is_file()]
    return named[0] if len(named) == 1 else path


def _read_lines(path: Path) -> list[dict]:
    """The complete JSON lines of a file; a last line cut off by a kill is passed over."""
    if not path.is_file():
        return []
    return _parsed(path.read_text(encoding="utf-8", errors="replace"))


def _parsed(text: str) -> list[dict]:
    """The lines that are records of JSON with their images."""
    lines = []
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            lines.append(json.loads(line))
    return [line for line in lines if isinstance(line, dict) and isinstance(line.get("images"), int)]


def _number(path: Path) -> int:
    """The number that a file's or folder's name ends with; 0 for none."""
    ending = path.stem.rpartition("-")[2]
    return int(ending) if ending.isdecimal() else 0


def _flock(handle: IO[str], folder: Path) -> bool:
    """Takes the lock, or says that the file system has none. Raises Refusal if another process keeps it."""
    import fcntl

    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return False
            if time.monotonic() > end:
                handle.seek(0)
                raise Refusal(_taken(folder, handle.read(20))) from error
        time.sleep(PATIENCE / 10)


@contextlib.contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Holds the folder by a file that names machine and process. Raises Refusal if another process holds it so."""
    path, mine = folder / ".holder", f"{socket.gethostname()} {os.getpid()}"
    hint = f" Its file system has no locks: if that process has ended, delete {path}."
    if (holder := _holder(path)) != mine and _may_live(holder):
        raise Refusal(_taken(folder, holder) + hint)
    with written(path) as temporary:
        temporary.write_text(mine, encoding="utf-8")
    time.sleep(SETTLE)  # of two that claim it at once, the last to write has it
    if (holder := _holder(path)) != mine:
        raise Refusal(_taken(folder, holder) + hint)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _holder(path: Path) -> str:
    """The "machine process" that a file names; empty without one."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:300]
    except FileNotFoundError:
        return ""


def _may_live(holder: str) -> bool:
    """Whether the process may still run: of other machines, nothing is known."""
    machine, _, process = holder.rpartition(" ")
    if machine != socket.gethostname() or not process.isdecimal():
        return bool(holder)
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else
        return True
    return True


def _taken(folder: Path, holder: str) -> str:
    return f"{folder}: another process ({holder or 'unknown'}) trains in this folder. Wait for it, or use --run."
