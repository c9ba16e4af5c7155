"""Training that is started from the browser: the command line as a process of its own, which outlives the studio."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zerosum.core import catalog
from zerosum.core.errors import Refusal
from zerosum.core.run import Run
from zerosum.core.words import without
from zerosum.studio.watched import name_of

LONGEST = 4096  # characters of a path that is typed
TAIL = 4096  # bytes of what a process said last
SIDES = (32, 64, 128, 256)


@dataclass(frozen=True)
class Wish:
    """What a person asks for: pictures by a path or a set's name, a game or none, minutes, pixels a side, and further
    options of `zerosum train` as they would be typed."""

    data: str
    game: str = ""
    minutes: float = 10.0
    resolution: int | None = None
    options: str = ""

    def words(self, runs: Path) -> list[str]:
        """The command's words after `zerosum`. Raises Refusal for what no command should be made of."""
        data = self.data.strip()
        if not data or len(data) > LONGEST or not data.isprintable():
            raise Refusal("What shall it learn from? Wanted a folder or zip of pictures, or the name of a set.")
        if data.startswith("-"):
            raise Refusal(f"'{data}': a folder's name that begins with a hyphen reads as an option. Write ./{data}.")
        if self.game and self.game not in catalog.names():
            catalog.file(self.game)  # refuses, with the nearest name
        if not (math.isfinite(self.minutes) and 0 < self.minutes <= 60 * 24 * 30):
            raise Refusal(f"{self.minutes} minutes: wanted more than 0 and at most a month.")
        if self.resolution is not None and self.resolution not in SIDES:
            raise Refusal(f"{self.resolution} pixels: wanted one of {', '.join(map(str, SIDES))}.")
        size = ["--resolution", str(self.resolution)] if self.resolution else []
        game = [self.game] if self.game else []
        further = self._further()
        counted = any(word.partition("=")[0] == "--images" for word in further)  # which says how long by itself
        minutes = [] if counted else ["--minutes", f"{self.minutes:g}"]
        return ["train", *game, _place(data), *minutes, *size, *further, "--runs", str(runs)]

    def _further(self) -> list[str]:
        """The further options' words."""
        try:
            if len(self.options) > LONGEST:
                raise ValueError(f"more than {LONGEST} characters")
            words = shlex.split(self.options)
        except ValueError as error:
            raise Refusal(f"The further options cannot be read ({error}). Close each quotation mark.") from error
        if words and not words[0].startswith("--"):
            raise Refusal(f"'{words[0]}' is no option. Wanted such as: --batch 32")
        if elsewhere := [word for word in words if word.partition("=")[0] in ("--run", "--runs")]:
            raise Refusal(f"{elsewhere[0]}: the studio keeps its runs together. Leave it out.")
        return words


@dataclass
class Job:
    """A process that was started, and where what it says is kept."""

    id: str
    words: list[str]
    process: subprocess.Popen[bytes]
    said: Path
    dismissed: bool = field(default=False)

    @property
    def state(self) -> str:
        """running, ended, or refused: what could not begin, or broke off."""
        code = self.process.poll()
        return "running" if code is None else "ended" if code in (0, 130) else "refused"

    @property
    def says(self) -> str:
        """The last line it said, as a person would read it in the terminal."""
        with self.said.open("rb") as file:
            file.seek(max(0, self.said.stat().st_size - TAIL))
            lines = file.read().decode("utf-8", errors="replace").replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def record(self) -> dict[str, Any]:
        """As the browser is told."""
        return {
            "id": self.id,
            "command": shlex.join(["zerosum", *self.words]),
            "state": self.state,
            "says": self.says,
            "pid": self.process.pid,
        }


class Jobs:
    """The processes that this studio has started. They go on when it ends."""

    def __init__(self, runs: Path):
        self._runs = runs
        self._folder: Path | None = None  # for what processes say; made with the first of them
        self._jobs: dict[str, Job] = {}

    def start(self, wish: Wish) -> Job:
        """Starts training on what is wished for. Raises Refusal for what the command line could not read."""
        return self._launch(wish.words(self._runs))

    def resume(self, run: Run) -> Job:
        """Gives a stopped run its own command again. Raises Refusal for a run that trains or is done, and for one that
        `zerosum train` did not begin."""
        if run.is_held:
            raise Refusal("This run is training already.")
        if run.is_finished:
            raise Refusal("This run is finished: it has drawn all of its images.")
        command = str(run.info.get("command") or "")
        try:
            words = shlex.split(command)
        except ValueError:
            words = []
        if words[:2] != ["zerosum", "train"]:
            raise Refusal(
                f"This run was not started by `zerosum train` ({command or 'no command'}). Go on as it began."
            )
        return self._launch([*without(without(words[1:], "--run"), "--runs"), "--run", str(run.path)])

    def all(self) -> list[dict[str, Any]]:
        """What runs, and what was refused and has not been put away."""
        found = [job for job in self._jobs.values() if not job.dismissed]
        return [job.record() for job in found if job.state != "ended"]

    def stop(self, name: str) -> None:
        """Asks a process to save and end; puts away one that has ended. Raises LookupError for an unknown name."""
        if name not in self._jobs:
            raise LookupError("There is no such process here.")
        job = self._jobs[name]
        if job.state == "running":
            with contextlib.suppress(ProcessLookupError):
                job.process.send_signal(signal.SIGINT)
        else:
            job.dismissed = True

    def running(self) -> int:
        """How many still train."""
        return sum(job.state == "running" for job in self._jobs.values())

    def close(self) -> None:
        """Forgets what the processes said. They themselves go on."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _launch(self, words: list[str]) -> Job:
        name = name_of(f"{len(self._jobs)} {words}")
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="zerosum-studio-"))
        said = self._folder / name
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "zerosum", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=out,
                start_new_session=True,  # Ctrl-C in the studio's terminal is not meant for it
                env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "400", "NO_COLOR": "1"},
            )
        self._jobs[name] = Job(name, words, process, said)
        return self._jobs[name]


def _place(data: str) -> str:
    """A path that is written as one, from the root, so that the run goes on wherever its command is given."""
    return str(Path(data).expanduser().absolute()) if data.startswith("~") or os.sep in data else data
