"""What a person sees while a run goes on: a bar with images a second, time left, losses and the last score."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class Screen(Protocol):
    """Where the trainer says how it goes. Between `start` and the end of its block, it shows a run's progress."""

    def start(self, total: int, done: int) -> None:
        """A run of `total` images goes on from `done`."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def advance(self, images: int) -> None:
        """So many images are drawn by now, those before the start included."""
        ...

    def note(self, notes: Mapping[str, float]) -> None:
        """What the log's newest line says of the losses, to be shown from the next `advance` on."""
        ...

    def score(self, scores: Mapping) -> None:
        """The newest snapshot's scores, as `metrics.panel.Panel.score` gives them."""
        ...

    def say(self, sentence: str) -> None:
        """A sentence for the person, at once."""
        ...

    def busy(self, what: str) -> contextlib.AbstractContextManager[None]:
        """What keeps the trainer from playing while the block lasts, such as "scoring"."""
        ...


class Silent:
    """Says nothing, whatever `Screen` is told."""

    def start(self, total: int, done: int) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def advance(self, images: int) -> None: ...

    def note(self, notes: Mapping[str, float]) -> None: ...

    def score(self, scores: Mapping) -> None: ...

    def say(self, sentence: str) -> None: ...

    @contextlib.contextmanager
    def busy(self, what: str) -> Iterator[None]:
        yield


class Bar:
    """A live bar on a terminal; elsewhere a line about every `seconds`. All goes to stderr."""

    def __init__(self, seconds: float = 15.0):
        self.console = Console(file=sys.stderr)
        self.seconds = seconds
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(24),
            TextColumn("{task.percentage:>3.0f}%"),
            _Rate(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[notes]}", style="cyan"),
            TextColumn("{task.fields[scores]}", style="green"),
            console=self.console,
        )
        self._notes = self._scores = ""

    def start(self, total: int, done: int) -> None:
        """A new bar, of `total` images, `done` of which are drawn."""
        self._began, self._done, self._total = time.monotonic(), done, total
        self._said, self._then = self._began, done
        self._task = self._progress.add_task("", total=total, completed=done, notes="", scores="")

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, images: int) -> None:
        """Moves the bar to so many images; elsewhere, a line when it is time for one, and at the end."""
        images = min(images, self._total)  # the last batch may go beyond it
        self._progress.update(self._task, completed=images, notes=self._notes, scores=self._scores)
        if not self.console.is_terminal and (time.monotonic() - self._said > self.seconds or images >= self._total):
            done = f"{images:,} of {self._total:,} images, {self._pace(images)}"
            self.say("  ".join(part for part in (done, self._notes, self._scores) if part))

    def _pace(self, images: int) -> str:
        """Images a second since it last spoke, and how long the rest takes at that; at the end, since the start."""
        now = time.monotonic()
        if images >= self._total:
            return f"{(images - self._done) / max(now - self._began, 1e-9):.0f} a second"
        rate = (images - self._then) / max(now - self._said, 1e-9)
        self._said, self._then = now, images
        left = (self._total - images) / max(rate, 1e-9)
        return f"{rate:.0f} a second, {f'{left:.0f} s' if left < 120 else f'{left / 60:.0f} min'} left"

    def note(self, notes: Mapping[str, float]) -> None:
        """The first four, beside the bar."""
        self._notes = "  ".join(f"{name} {value:.2f}" for name, value in list(notes.items())[:4])

    def score(self, scores: Mapping) -> None:
        """The ImageNet judge's KID, or where there is none the untrained one's, beside the bar."""
        if "kid" in scores:
            self._scores = f"KID {scores['kid']['value']:.3f}"
        elif "kid_random" in scores:
            self._scores = f"KID-random {scores['kid_random']['value']:.3g}"

    def say(self, sentence: str) -> None:
        """A line above the bar."""
        self.console.print(sentence, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Says what keeps it from playing, on a terminal."""
        before, self._notes = self._notes, f"{what} ..."
        if self._progress.tasks:
            self._progress.update(self._task, notes=self._notes)
        else:
            self.say(f"{what} ...")
        try:
            yield
        finally:
            self._notes = before


class _Rate(ProgressColumn):
    """Images a second over the last half minute or so."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} img/s" if task.speed else "", style="magenta")
