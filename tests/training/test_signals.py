"""Signals at any moment, and a full disk: the same command goes on, and all ends bit for bit as if undisturbed."""

from __future__ import annotations

import contextlib
import errno
import functools
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
from zerosum import cli
from zerosum.core import checkpoint
from zerosum.core.files import save_tensors
from zerosum.core.pictures import to_pil
from zerosum.core.run import Run
from zerosum.report import page

BATCH, SAVE = 8, 80
SETTINGS = ["--width", "4", "--z", "8", "--resolution", "32", "--batch", str(BATCH), "--score", "64", "--json"]
OFTEN = ["--images", "640", "--save", str(SAVE), "--log", "40"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of 80 pictures, judged by the untrained judge alone: the cache and pip offer no other."""
    folder = tmp_path_factory.mktemp("photos")
    for number, pixels in enumerate(Blobs(80).pixels):
        to_pil(pixels).save(folder / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEROSUM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setattr(page, "write_report", lambda run: None)
        yield folder


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that nothing disturbs. No rename leads it from folder to folder: they might lie on two disks."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", "/nowhere")
        for name in ("rename", "replace"):
            patch.setattr(os, name, functools.partial(within_a_folder, getattr(os, name)))
        assert cli.main(["train", "dcgan", str(photos), *SETTINGS, *OFTEN, "--run", str(folder)]) == 0
    assert len(Run(folder).metrics()) == 8
    return Run(folder)


def within_a_folder(real: Callable, before: str | Path, after: str | Path) -> None:
    if Path(before).parent != Path(after).parent:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    real(before, after)


def assert_equal(whole: Run, run: Run) -> None:
    """Bit for bit, and nothing half written is left."""
    assert_same(whole, run)
    assert run.metrics() == whole.metrics()
    assert [path.read_bytes() for path in run.snapshots] == [path.read_bytes() for path in whole.snapshots]
    assert not list(run.path.rglob("*.tmp"))


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
    for number, amid in (
        (signal.SIGINT, False),
        (signal.SIGKILL, True),
        (signal.SIGKILL, False),
        (signal.SIGTERM, True),
    ):
        before = newest(run)
        begun = run.snapshot(before // SAVE * SAVE + SAVE) if amid else run.path / "log.jsonl"
        mark = inode(begun)
        process = start(photos, *command)
        await_(process, lambda begun=begun, mark=mark: inode(begun) not in (0, mark))  # type: ignore[misc]
        time.sleep(0 if amid else moments.uniform(0, 0.3))
        said = stop(process, number)
        assert ("all is saved" in said) == (number is not signal.SIGKILL)
        assert newest(run) > before or (newest(run) == before and number is signal.SIGKILL)
    assert not run.is_finished
    assert cli.main(["train", "dcgan", str(photos), *SETTINGS, *command]) == 0
    assert_equal(whole, run)


def test_while_it_is_prepared_it_stops_at_once_and_leaves_nothing(photos: Path, tmp_path: Path) -> None:
    process = start(photos, "--minutes", "5", "--runs", str(tmp_path))
    await_(process, lambda: any(tmp_path.glob("*/.lock")))
    time.sleep(0.3)  # it times a few steps now, for 12 s
    said = ""
    for _ in range(3):  # Python drops what a handler raises amid an import: then one asks again, as a person would
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            said = process.communicate(timeout=5)[1]
            break
    assert process.returncode == 130
    assert "nothing was lost" in said
    assert not list(tmp_path.iterdir())


def test_a_second_one_in_the_folder_is_refused(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Run(tmp_path).locked():
        assert cli.main(["train", "dcgan", str(photos), *SETTINGS, *OFTEN, "--run", str(tmp_path)]) == 1
    assert f"another process ({os.getpid()}) trains in this folder" in capsys.readouterr().err


def test_a_full_disk_costs_no_more_than_the_work_since_the_last_checkpoint(
    whole: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, saved = ["train", "dcgan", str(photos), *SETTINGS, *OFTEN, "--run", str(tmp_path)], []

    def fills(path: Path, tensors: dict, metadata: dict | None = None) -> None:
        saved.append(path)
        if len(saved) == 8:  # three groups a checkpoint: amid that of 160 images, after those of 0 and 80
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save_tensors(path, tensors, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_tensors", fills)
        assert cli.main(command) == 1
    assert "free some space, then give the same command again" in capsys.readouterr().err
    assert [int(path.name) for path in checkpoint.complete(tmp_path / "state")] == [0, SAVE]
    assert not list(tmp_path.rglob("*.tmp"))
    assert cli.main(command) == 0
    assert_equal(whole, Run(tmp_path))
