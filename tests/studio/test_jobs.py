"""Training that is started from the browser: what becomes a command, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.made_up import made_up_run
from zerosum.core.errors import Refusal
from zerosum.core.run import Run
from zerosum.studio.jobs import Job, Jobs, Wish


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    opened = Jobs(tmp_path)
    yield opened
    opened.close()


def test_a_wish_becomes_a_command(tmp_path: Path) -> None:
    wish = Wish("avatars", "gan", 0.5, 32, "--batch 8 --levers.soft two-sided")
    assert wish.words(tmp_path) == [
        *["train", "gan", "avatars", "--minutes", "0.5", "--resolution", "32"],
        *["--batch", "8", "--levers.soft", "two-sided", "--runs", str(tmp_path)],
    ]
    assert Wish(" my photos/x ").words(tmp_path)[1] == str(Path("my photos/x").absolute())
    assert Wish("x", options="--images 64").words(tmp_path) == ["train", "x", "--images", "64", "--runs", str(tmp_path)]
    assert Wish("~/x").words(tmp_path)[1] == str(Path.home() / "x")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(""), "What shall it learn from"),
        (Wish("x" * 5000), "What shall it learn from"),
        (Wish("a\nb"), "What shall it learn from"),
        (Wish("--help"), "reads as an option"),
        (Wish("x", game="dcgn"), "did you mean 'dcgan'"),
        (Wish("x", game="--help"), "no game '--help'"),
        (Wish("x", minutes=0), "wanted more than 0"),
        (Wish("x", minutes=float("nan")), "wanted more than 0"),
        (Wish("x", resolution=33), "wanted one of 32"),
        (Wish("x", options="'"), "Close each quotation mark"),
        (Wish("x", options="other"), "'other' is no option"),
        (Wish("x", options="--batch 8 --runs /elsewhere"), "keeps its runs together"),
        (Wish("x", options="--run=/elsewhere"), "keeps its runs together"),
    ],
)
def test_what_is_no_wish_is_refused_before_anything_starts(wish: Wish, said: str, jobs: Jobs) -> None:
    with pytest.raises(Refusal, match=said):
        jobs.start(wish)
    assert jobs.all() == []


def ended(job: Job) -> Job:
    job.process.wait(timeout=60)
    return job


def test_what_the_command_line_refuses_is_told_until_it_is_put_away(jobs: Jobs) -> None:
    job = ended(jobs.start(Wish("avatar")))
    [record] = jobs.all()
    assert record["state"] == "refused"
    assert "did you mean 'avatars'?" in record["says"]
    assert record["command"].startswith("zerosum train avatar --minutes 10")
    jobs.stop(job.id)
    assert jobs.all() == []
    with pytest.raises(LookupError, match="no such process"):
        jobs.stop("0123")


def test_a_run_goes_on_by_its_own_command_in_its_own_folder(jobs: Jobs, tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "00000-dcgan-blobs", finished=False)
    job = ended(jobs.resume(run))
    assert job.words == ["train", "dcgan", "my photos", "--minutes", "4", "--run", str(run.path)]
    assert "my photos" in job.says  # it is not there, and that is said


@pytest.mark.parametrize("command", ["", "torchrun -m zerosum train x", "rm -rf x", "zerosum sample x", "'"])
def test_other_commands_are_not_given(jobs: Jobs, tmp_path: Path, command: str) -> None:
    run = made_up_run(tmp_path / "00000-dcgan-blobs", finished=False)
    run.write_info(run.info | {"command": command})
    with pytest.raises(Refusal, match="not started by `zerosum train`"):
        jobs.resume(run)


def test_a_run_that_trains_or_is_done_does_not_go_on(jobs: Jobs, tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "00000-dcgan-blobs", finished=False)
    with run.locked(), pytest.raises(Refusal, match="training already"):
        jobs.resume(Run(run.path))
    with pytest.raises(Refusal, match="is finished"):
        jobs.resume(made_up_run(tmp_path / "00001-dcgan-blobs"))


def test_nothing_is_interrupted_where_nothing_trains(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "00000-dcgan-blobs", finished=False)
    with pytest.raises(Refusal, match="no process of this machine"):
        run.interrupt()
    (run.path / ".lock").write_text("1")  # a number without a lock is nobody's
    with pytest.raises(Refusal, match="no process of this machine"):
        run.interrupt()
