"""Signals at any moment: the run stops, says so, goes on by the same command, and ends bit for bit as undisturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Blobs
from tests.training.test_resume import assert_same
from zerosum import api, cli
from zerosum.core import checkpoint
from zerosum.core.pictures import to_pil
from zerosum.core.run import Run

BATCH, SAVE = 8, 80
SETTINGS = ["--width", "4", "--z", "8", "--resolution", "32", "--batch", str(BATCH), "--score", "64", "--json"]
OFTEN = ["--images", "1200", "--save", str(SAVE), "--log", "40"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of 80 pictures, judged by the untrained judge alone: the cache and pip offer no other."""
    folder = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(Blobs(80).pixels):
        to_pil(pixels).save(folder / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEROSUM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setattr(api, "write_report", lambda run: None)
        yield folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert cli.main(["train", "dcgan", str(photos), *SETTINGS, *OFTEN, "--run", str(folder)]) == 0
    assert len(Run(folder).metrics()) == 1200 // SAVE
    return Run(folder)


def start(photos: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "zerosum", "train", "dcgan", str(photos), *SETTINGS, *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def await_(process: subprocess.Popen, holds: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - begin < 90
        time.sleep(0.001)


def stop(process: subprocess.Popen, number: signal.Signals) -> str:
    """Sends the signal; what the process then says. It must end soon, and as it should."""
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == (-number if number is signal.SIGKILL else 130), said
    assert "Traceback" not in said
    return said


def inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


def newest(run: Run) -> int:
    found = checkpoint.complete(run.path / "state")
    return int(found[-1].name) if found else 0


def test_it_ends_the_same_whatever_stops_it(whole: Run, photos: Path, tmp_path: Path) -> None:
    """Each signal strikes the one run in turn: some moment after it has begun to play, or amid a scoring."""
    run, moments = Run(tmp_path / "run"), random.Random(0)
    command = [*OFTEN, "--run", str(run.path)]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        before, log = newest(run), inode(run.path / "log.jsonl")
        process = start(photos, *command)
        await_(process, lambda log=log: inode(run.path / "log.jsonl") != log)  # type: ignore[misc]
        time.sleep(moments.uniform(0, 0.3))
        said = stop(process, number)
        assert newest(run) > before if number is not signal.SIGKILL else newest(run) >= before
        assert ("all is saved" in said) == (number is not signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = start(photos, *command)
        due = run.snapshot(newest(run) // SAVE * SAVE + SAVE)
        before = inode(due)
        await_(process, lambda due=due, before=before: inode(due) not in (0, before))  # type: ignore[misc]
        stop(process, number)
    assert not run.is_finished
    assert cli.main(["train", "dcgan", str(photos), *SETTINGS, *command]) == 0
    assert_same(whole, run)
    assert run.metrics() == whole.metrics()
    assert [path.read_bytes() for path in run.snapshots] == [path.read_bytes() for path in whole.snapshots]
    assert not list(run.path.rglob("*.tmp"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_it_is_prepared_it_stops_at_once_and_leaves_nothing(
    number: signal.Signals, photos: Path, tmp_path: Path
) -> None:
    process = start(photos, "--minutes", "5", "--runs", str(tmp_path))
    await_(process, lambda: any(tmp_path.glob("*/.lock")))
    time.sleep(0.5)  # it times a few steps, for 12 s
    begin = time.monotonic()
    assert "nothing was lost" in stop(process, number)
    assert time.monotonic() - begin < 8
    assert not list(tmp_path.iterdir())


def test_a_second_one_in_the_folder_is_refused(photos: Path, tmp_path: Path) -> None:
    with Run(tmp_path / "run").locked():
        process = start(photos, *OFTEN, "--run", str(tmp_path / "run"))
        said = process.communicate(timeout=90)[1]
    assert process.returncode == 1
    assert f"another process ({os.getpid()}) trains in this folder" in said
    assert "Traceback" not in said
