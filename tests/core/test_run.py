"""A run's folder: held by one process at a time, and nothing in it is ever lost."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zerosum.core import run as module
from zerosum.core.errors import Refusal
from zerosum.core.run import Run, folder

WITHOUT_LOCKS = """
import errno, fcntl
def missing(*_):
    raise OSError(errno.ENOSYS, "no locks here")
fcntl.flock = missing
"""
HOLD = """
import sys, time
from zerosum.core.run import Run
with Run(sys.argv[1]).locked():
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def held(folder: Path, before: str = "") -> Iterator[subprocess.Popen]:
    """The folder, held by another process; the block's end is its SIGKILL."""
    process = subprocess.Popen([sys.executable, "-c", before + HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def no_flock(*_: object) -> None:
    raise OSError(errno.ENOSYS, "no locks here")


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no flock."""
    monkeypatch.setattr(fcntl, "flock", no_flock)
    monkeypatch.setattr(module, "SETTLE", 0.0)


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    with held(tmp_path) as first, pytest.raises(Refusal, match=rf"another process \({first.pid}\) trains"):
        Run(tmp_path).locked().__enter__()
    with Run(tmp_path).locked():
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_the_lock_is_free_when_its_block_ends(tmp_path: Path) -> None:
    for _ in range(2):
        with Run(tmp_path).locked(), pytest.raises(Refusal), Run(tmp_path).locked():
            pass


def test_one_who_only_asks_who_holds_it_keeps_nobody_out(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: (time.sleep(0.05), fcntl.flock(asking, fcntl.LOCK_UN)))
            with Run(tmp_path).locked():
                assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_what_was_drawn_is_at_most_the_total(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_info({"total": 100})
    assert run.images == 0
    for drawn, told in ((64, 64), (128, 100)):
        run.append("times.jsonl", {"images": drawn})
        assert run.images == told


@pytest.mark.usefixtures("without_locks")
def test_without_locks_too_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    with held(tmp_path, WITHOUT_LOCKS) as first, pytest.raises(Refusal) as refused, Run(tmp_path).locked():
        pass
    assert re.search(rf"{first.pid}\) trains.*no locks.*delete .*\.holder", str(refused.value))
    with Run(tmp_path).locked():
        assert (tmp_path / ".holder").read_text().endswith(f" {os.getpid()}")
    assert not (tmp_path / ".holder").exists()


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize(("holder", "taken"), [("elsewhere 1", True), ("x", True), ("", False)])
def test_a_holder_on_another_machine_may_live(tmp_path: Path, holder: str, taken: bool) -> None:
    (tmp_path / ".holder").write_text(holder)
    with pytest.raises(Refusal, match="another process") if taken else contextlib.nullcontext(), Run(tmp_path).locked():
        pass


@pytest.mark.usefixtures("without_locks")
def test_of_two_claims_at_once_the_later_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: (tmp_path / ".holder").write_text("elsewhere 1"))
    with pytest.raises(Refusal, match="elsewhere 1"), Run(tmp_path).locked():
        pass
    assert (tmp_path / ".holder").read_text() == "elsewhere 1"


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: Run.numbered(tmp_path, "dcgan", "my photos"), range(16)))
    assert len({run.path for run in runs}) == 16
    assert all(run.path.name.endswith("-dcgan-my_photos") for run in runs)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "[" * 100_000])
def test_a_damaged_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(Refusal, match=r"run\.json.*Name another run"):
        _ = Run.open(tmp_path).info


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    lines = [
        '{"images": 8}',
        "7",
        "[1]",
        '{"rounds": 1}',
        '{"images": "x"}',
        "\0\0",
        "[" * 100_000,
        '{"images": 16',
        "",
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    assert Run(tmp_path).log() == [{"images": 8}]


def test_going_back_drops_what_came_after_and_nothing_else(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for images in (8, 16):
        run.append("log.jsonl", {"images": images})
        run.snapshot(images).write_bytes(b"s")
        (tmp_path / f"fakes-{images:09d}.png").write_bytes(b"p")
    for name in ("snapshot-mine.safetensors", "snapshot-000000016 (copy).safetensors", "fakes-best.png"):
        (tmp_path / name).write_bytes(b"the user's")
    run.forget_after(8)
    assert run.log() == [{"images": 8}]
    assert [path.name for path in run.snapshots] == ["snapshot-000000008.safetensors"]
    assert [path.name for path in run.grids] == ["fakes-000000008.png"]
    assert len(list(tmp_path.iterdir())) == 6


def test_snapshots_are_sorted_by_their_numbers(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for images in (1_000_000_000, 999_999_999):
        run.snapshot(images).write_bytes(b"")
    assert run.best == run.snapshot(1_000_000_000)


def test_what_a_kill_left_half_written_is_swept(tmp_path: Path) -> None:
    (tmp_path / "state" / ".000000008.tmp").mkdir(parents=True)
    (tmp_path / "state" / ".000000008.tmp" / "game.safetensors").write_bytes(b"half")
    (tmp_path / ".snapshot-000000008.safetensors.77.tmp").write_bytes(b"half")
    Run(tmp_path).sweep()
    assert [path.name for path in tmp_path.rglob("*")] == ["state"]


def test_a_run_whose_checkpoints_are_all_damaged_is_set_aside(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for number in (1, 2):
        run.write_info({"game": "dcgan"})
        run.append("log.jsonl", {"images": 8})
        run.snapshot(8).write_bytes(b"s")
        (tmp_path / "state" / f"{8:09d}").mkdir(parents=True)
        run.forget_after(-1)
        aside = Run.open(tmp_path / f"set-aside-{number}")
        assert aside.best == aside.snapshot(8)
        assert aside.log() == [{"images": 8}]
        assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("set-aside-")) == ["run.json"]


def test_a_run_killed_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.append("log.jsonl", {"images": 8})
    run.forget_after(-1)
    assert run.log() == []
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_on_a_full_disk_the_log_says_what_to_do(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full is Linux's own")
    (tmp_path / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(Refusal, match=r"log\.jsonl: no room.*free some space"):
        Run(tmp_path).append("log.jsonl", {"images": 8})


def test_on_a_full_disk_the_record_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    run.write_info({"total": 8})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal, match="free some space"):
        run.write_info({"total": 16})
    assert json.loads((tmp_path / "run.json").read_text()) == {"total": 8}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_runs_number_will_do(tmp_path: Path) -> None:
    run = Run.numbered(tmp_path, "gan", "photos")
    run.write_info({"game": "gan"})
    assert folder(tmp_path / "0") == folder(tmp_path / "00000") == run.path
    assert Run.open(tmp_path / "0").path == run.path
    for other in ("1", "photos"):
        assert folder(tmp_path / other) == tmp_path / other
        with pytest.raises(Refusal, match="no such folder"):
            Run.open(tmp_path / other)
    (tmp_path / "00000-gan-again").mkdir()
    (tmp_path / "00000-gan-again" / "run.json").write_text("{}")
    assert folder(tmp_path / "0") == tmp_path / "0", "of two it is not known which is meant"


def test_a_log_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.lines_from("log.jsonl", 0) == ([], 0)
    run.append("log.jsonl", {"images": 8})
    lines, at = run.lines_from("log.jsonl", 0)
    assert lines == [{"images": 8}]
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"images": 16')  # it is being written
    assert run.lines_from("log.jsonl", at) == ([], at)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write("}\n")
    assert run.lines_from("log.jsonl", at)[0] == [{"images": 16}]


def test_who_trains_is_asked_to_save_and_end(tmp_path: Path) -> None:
    run = Run(tmp_path)
    code = (
        "import signal, sys, time, zerosum as zs\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs do without
        "with zs.Run(sys.argv[1]).locked(): print('held', flush=True), time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as held:
        assert held.stdout is not None
        assert held.stdout.readline() == "held\n"
        assert run.is_held
        assert run.process == held.pid
        run.interrupt()
        assert "KeyboardInterrupt" in held.communicate(timeout=60)[1]
    assert run.process is None
    with pytest.raises(Refusal, match="no process of this machine trains"):
        run.interrupt()


def test_a_lock_that_another_machine_holds_names_no_process_here(tmp_path: Path) -> None:
    run = Run(tmp_path)
    (tmp_path / ".lock").write_text("1")  # of this number there is one here too, but it has not opened the lock
    with (tmp_path / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run.is_held
        assert run.process is None
