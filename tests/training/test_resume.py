"""A run that is killed, stopped or damaged goes on, and ends as if nothing had happened, bit for bit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Blobs
from zerosum import api
from zerosum.core import checkpoint
from zerosum.core.errors import Interrupted, Refusal
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.training import trainer
from zerosum.training.screen import Silent
from zerosum.training.signals import Stop

ROUNDS, BATCH = 200, 4
PLAN = Plan(images=ROUNDS * BATCH, batch=BATCH, save=25 * BATCH, log=5 * BATCH, grid=100 * BATCH, score=0)
SETTINGS = {"width": 2, "z": 4}
SCRIPT = """
import sys
from pathlib import Path
from tests.training.test_resume import play
from zerosum.core.errors import Interrupted
try:
    play(Path({folder!r}))
except Interrupted as interrupted:
    sys.exit(130 if "all is saved" in str(interrupted) else 1)
"""


def play(folder: Path) -> Run:
    """Trains a small dcgan in `folder`, or goes on with it."""
    source = Blobs(20)
    game = api.build("dcgan", source, SETTINGS, seed=0)
    trainer.train(game, source, Run(folder), PLAN, Silent())
    return Run(folder)


def start(folder: Path) -> subprocess.Popen:
    root = Path(__file__).parents[2]
    code = SCRIPT.format(folder=str(folder))
    return subprocess.Popen([sys.executable, "-c", code], cwd=root, env=os.environ | {"PYTHONPATH": str(root)})


@contextlib.contextmanager
def running(folder: Path, until: int) -> Iterator[subprocess.Popen]:
    """The run in a process of its own, once it has a checkpoint at so many images."""
    process = start(folder)
    try:
        wait_for(folder, until, process)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(folder: Path, images: int, process: subprocess.Popen) -> None:
    """Until the run has a checkpoint at so many images."""
    begin = time.monotonic()
    while not any(int(path.name) >= images for path in checkpoint.complete(folder / "state")):
        assert process.poll() is None, "the run ended before it was to be stopped"
        assert time.monotonic() - begin < 60
        time.sleep(0.002)


def assert_same(one: Run, two: Run) -> None:
    """Equal networks, optimizers, averages, buffers, logs and pictures."""
    first, second = (checkpoint.newest(run.path / "state")[0] for run in (one, two))
    assert first is not None
    assert second is not None
    hashes = [json.loads((found.path / "manifest.json").read_text()) for found in (first, second)]
    for group in ("game", "optimizers", "average"):
        assert hashes[0][f"{group}.safetensors"] == hashes[1][f"{group}.safetensors"], group
    assert (one.path / "log.jsonl").read_bytes() == (two.path / "log.jsonl").read_bytes()
    assert [p.name for p in one.grids] == [p.name for p in two.grids]
    assert one.best.read_bytes() == two.best.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that nothing disturbs."""
    return play(tmp_path_factory.mktemp("whole") / "run")


def test_killed_at_half_it_ends_the_same(whole: Run, tmp_path: Path) -> None:
    with running(tmp_path / "run", until=ROUNDS * BATCH // 2):
        pass  # the block's end is a SIGKILL
    assert not Run(tmp_path / "run").is_finished
    assert_same(whole, play(tmp_path / "run"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_same_command_goes_on(whole: Run, tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path / "run", until=25 * BATCH) as process:
        process.send_signal(number)
        assert process.wait(60) == 130
        process.wait()
    assert not Run(tmp_path / "run").is_finished
    assert_same(whole, play(tmp_path / "run"))


def test_a_damaged_checkpoint_costs_only_its_own_work(whole: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(folder, until=50 * BATCH):
        pass
    newest = checkpoint.complete(folder / "state")[-1] / "game.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert_same(whole, play(folder))


def test_another_recipe_in_the_folder_is_refused(whole: Run) -> None:
    source = Blobs(20)
    game = api.build("dcgan", source, {"width": 2, "z": 5}, seed=0)
    with pytest.raises(Refusal, match=r"another recipe: z is 4 there and 5 here"):
        trainer.train(game, source, whole, PLAN)


def test_a_second_process_in_the_folder_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with run.locked(), pytest.raises(Refusal, match="another process"):
        play(run.path)


def test_minutes_fix_the_images_once(tmp_path: Path) -> None:
    source = Blobs(20)
    game = api.build("dcgan", source, SETTINGS, seed=0)
    plan = Plan(minutes=0.005, batch=BATCH, score=0)
    training = trainer.Training(game, source, Run(tmp_path / "run"), plan, Silent())
    total = training.match.clock.total
    assert total % BATCH == 0
    assert Run(tmp_path / "run").info["total"] == total
    game = api.build("dcgan", source, SETTINGS, seed=0)
    again = trainer.Training(game, source, Run(tmp_path / "run"), plan, Silent())
    assert again.match.clock.total == total


def test_interruption_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Blobs(20)
    game = api.build("dcgan", source, SETTINGS, seed=0)
    training = trainer.Training(game, source, Run(tmp_path / "run"), PLAN, Silent())
    stop = Stop()
    stop.asked = True
    with pytest.raises(Interrupted, match="same command"):
        training.play(stop)
    assert checkpoint.newest(tmp_path / "run" / "state")[0] is not None


def test_losses_that_are_not_finite_stop_the_run(tmp_path: Path) -> None:
    source = Blobs(20)
    game = api.build("dcgan", source, SETTINGS | {"rate": 1e30}, seed=0)
    with pytest.raises(Refusal, match="lower --rate"):
        trainer.train(game, source, Run(tmp_path / "run"), PLAN)
