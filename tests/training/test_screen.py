"""What is said of a run's progress where no bar can be seen."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from zerosum.training import screen


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still; its one number is the time."""
    now = [100.0]
    monkeypatch.setattr(screen.time, "monotonic", lambda: now[0])
    return now


def lines(bar: screen.Bar) -> list[str]:
    assert isinstance(bar.console.file, io.StringIO)
    return bar.console.file.getvalue().splitlines()


def piped() -> screen.Bar:
    bar = screen.Bar(seconds=15)
    bar.console = Console(file=io.StringIO(), width=200)
    return bar


def test_the_pace_is_the_recent_one_and_the_first_step_says_nothing(clock: list[float]) -> None:
    bar = piped()
    bar.start(total=10_000, done=0)
    for seconds, images in ((9, 8), (16, 160), (32, 1760), (33, 1900)):  # the first step is slow: 8 images in 9 s
        clock[0] = 100 + seconds
        bar.advance(images)
    assert lines(bar) == [
        "160 of 10,000 images, 10 a second, 16 min left",
        "1,760 of 10,000 images, 100 a second, 82 s left",
    ]


def test_the_last_batch_goes_beyond_the_total_and_nobody_is_told(clock: list[float]) -> None:
    bar = piped()
    bar.start(total=600, done=0)
    clock[0] += 10
    bar.note({"G": 1.5})
    bar.advance(608)
    assert lines(bar) == ["600 of 600 images, 60 a second  G 1.50"]
