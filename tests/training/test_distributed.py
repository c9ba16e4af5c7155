"""Two processes play as one does, stop as one, and end together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.conftest import Blobs
from zerosum import api
from zerosum.core import checkpoint
from zerosum.core.errors import Refusal
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.training.distributed import Team
from zerosum.training.match import Match
from zerosum.training.trainer import complete

BATCH = 8


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faces")
    for number, pixels in enumerate(Blobs(40).pixels):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def start(processes: int, faces: Path, folder: Path, images: int, *more: str) -> subprocess.Popen:
    """The command line in so many processes; each plays micro-batches of half a batch."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    settings = ["--resolution", "32", "--width", "4", "--z", "8", "--batch", str(BATCH), "--micro", str(BATCH // 2)]
    command = ["train", "dcgan", str(faces), "--images", str(images), *settings, "--score", "0", "--run", str(folder)]
    return subprocess.Popen(
        [
            sys.executable,
            *(launch if processes > 1 else []),
            "-m",
            *(["--"] if processes > 1 else []),
            "zerosum",
            *command,
            *more,
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Exit code and what was said."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def state(folder: Path) -> checkpoint.Checkpoint:
    found, _ = checkpoint.newest(folder / "state")
    assert found is not None
    return found


def assert_same(one: Path, two: Path) -> None:
    """Equal networks, buffers, optimizers and averages to the bit; equal logs but for the order of sums."""
    for group in ("game", "optimizers", "average"):
        first, second = state(one).tensors(group), state(two).tensors(group)
        different = [name for name in first if not torch.equal(first[name], second[name])]
        assert first.keys() == second.keys()
        assert not different, f"{group}: {different}"
    for ours, theirs in zip(Run(one).log(), Run(two).log(), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


def wait_for(folder: Path, images: int, process: subprocess.Popen) -> None:
    begin = time.monotonic()
    while not any(int(path.name) >= images for path in checkpoint.complete(folder / "state")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() - begin < 60
        time.sleep(0.01)


@pytest.fixture(scope="module")
def alone(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of it."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    code, said = ended(start(1, faces, folder, 60 * BATCH, "--save", str(30 * BATCH)))
    assert code == 0, said
    return folder


def test_two_processes_equal_one(alone: Path, faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    code, said = ended(start(2, faces, folder, 60 * BATCH, "--save", str(30 * BATCH)))
    assert code == 0, said
    assert said.count("Done: ") == 1, "the lead alone speaks"
    assert_same(alone, folder)
    assert (folder / "report.html").is_file()


def test_a_process_that_dies_ends_the_others_and_the_run_goes_on(alone: Path, faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    long = start(2, faces, folder, 60 * BATCH, "--save", str(10 * BATCH))
    wait_for(folder, 10 * BATCH, long)
    _kill(rank=1, of=long)
    code, said = ended(long)
    assert code != 0, "the run ended before one of its processes was killed"
    assert "another process of this run has ended" in said or "finishing the step" in said
    assert "zerosum/training" not in said, f"no traceback of ours:\n{said}"
    code, said = ended(start(2, faces, folder, 60 * BATCH, "--save", str(10 * BATCH)))
    assert code == 0, said
    assert_same(alone, folder)


def test_a_signal_stops_all_and_one_process_may_go_on(alone: Path, faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    both = start(2, faces, folder, 60 * BATCH, "--save", str(10 * BATCH))
    wait_for(folder, 10 * BATCH, both)
    both.send_signal(signal.SIGTERM)
    code, said = ended(both)
    assert code != 0
    assert "all is saved" in said, said
    code, said = ended(start(1, faces, folder, 60 * BATCH, "--save", str(10 * BATCH)))
    assert code == 0, said
    assert_same(alone, folder)


def _kill(rank: int, of: subprocess.Popen) -> None:
    """SIGKILL to the child of this rank."""
    children = Path(f"/proc/{of.pid}/task/{of.pid}/children").read_text().split()
    for child in children:
        environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        if f"RANK={rank}".encode() in environment:
            os.kill(int(child), signal.SIGKILL)
            return
    raise AssertionError(f"no child of rank {rank} among {children}")


def test_shares_cover_the_batch_once() -> None:
    firsts = range(64, 128, 8)
    shares = [list(Team(rank, 4).share(firsts)) for rank in range(4)]
    assert [first for share in shares for first in share] == list(firsts)
    assert {len(share) for share in shares} == {2}


def test_what_cannot_be_shared_is_refused() -> None:
    source = Blobs(20)
    game = api.build("dcgan", source, {"width": 2, "z": 4}, seed=0)
    with pytest.raises(Refusal, match="shared evenly among 3"):
        complete(game, Plan(images=64, batch=64), Team(0, 3))
    plan = Plan(images=64, batch=8, micro=8, order="epochs")
    with pytest.raises(Refusal, match="among 2 processes"):
        Match(game, source, plan, choose(plan), total=64, team=Team(0, 2))


def test_the_recipe_names_the_micro_batch(alone: Path) -> None:
    assert json.loads((alone / "run.json").read_text())["plan"]["micro"] == BATCH // 2
