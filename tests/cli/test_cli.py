"""The command line: help, refusals and exit codes as a user meets them."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import snapshots
from zerosum import cli
from zerosum.bench import _frame
from zerosum.cli import games
from zerosum.core import catalog


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    for verb, summary in cli.verbs().items():
        assert f"  {verb}" in printed
        assert summary.endswith("."), f"{verb}: its file's first line is its help"


@pytest.mark.parametrize("verb", sorted(cli.verbs()))
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    printed = capsys.readouterr().out
    assert f"zerosum {verb}" in printed
    assert "--json" in printed or "subcommands" in printed or "{" in printed


def test_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    assert "'train'" in capsys.readouterr().err


def test_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games", "--no-such"]) == 2


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["train", "x", "--minutes", "abc"], "--minutes: wanted a number, not 'abc'."),
        (["train", "x", "--resolution", "64", "abc"], "--resolution: wanted a whole number, not 'abc'."),
        (["train", "x", "--batch", "1.5"], "--batch: wanted a whole number, not '1.5'."),
        (["train", "x", "--width", "wide"], "--width: wanted a whole number, not 'wide'."),
        (["sample", "x", "-n", "four"], "wanted a whole number, not 'four'."),
    ],
)
def test_what_is_no_number_is_said_in_plain_words(
    argv: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    printed = snapshots.printed(argv)
    assert printed.startswith("exit 2")
    assert said in printed
    assert "NoneType" not in printed


def test_a_game_that_was_not_typed_is_not_named(tmp_path: Path) -> None:
    assert "run zerosum train --help" in snapshots.printed(["train", str(tmp_path), "--nosuch"])
    assert "run zerosum train house --help" in snapshots.printed(["train", "house", str(tmp_path), "--nosuch"])


def test_a_refusal_is_json_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "avatar", "--json"]) == 1
    captured = capsys.readouterr()
    assert "did you mean 'avatars'?" in json.loads(captured.out)["error"]
    assert "did you mean 'avatars'?" in captured.err
    assert cli.main(["train", "avatar"]) == 1
    assert capsys.readouterr().out == ""


def test_ctrl_c_before_anything_says_that_nothing_is_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(argv: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(games, "main", stopped)
    assert cli.main(["games"]) == 130
    assert "nothing that was saved is lost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, " Free space, or choose another place."),
        (errno.EACCES, " Choose another place."),
        (errno.ECONNRESET, ""),
    ],
)
def test_a_fault_of_the_system_comes_with_its_own_remedy(
    number: int, remedy: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(argv: list[str]) -> None:
        raise OSError(number, "what the system says", "file")

    monkeypatch.setattr(games, "main", failing)
    assert cli.main(["games"]) == 1
    assert capsys.readouterr().err.endswith(f"what the system says: 'file'.{remedy}\n")


def test_doctor_speaks_no_python(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["doctor"])
    said = capsys.readouterr().out
    assert "None" not in said
    assert "[" not in said
    cli.main(["doctor", "--json"])
    assert not [name for name in json.loads(capsys.readouterr().out) if " " in name]


def test_a_smoke_of_a_bench_gives_no_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_frame, "run_bench", lambda row, budget, seeds: {"row": row, "passes": None})
    assert cli.main(["bench", "speed", "--smoke"]) == 0
    assert "measures nothing" in capsys.readouterr().out


def test_the_benches_table_is_drawn_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["bench"]) == 0
    assert "|---|" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(["bench"]) == 0
    assert "|---|" not in capsys.readouterr().out


def test_games_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in catalog.names())


def test_unknown_game_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games", "dcgn"]) == 1
    assert "did you mean 'dcgan'" in capsys.readouterr().err


def test_three_sets_of_data_are_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "cogan", "avatars", "mnist", "fruit", "--images", "10"]) == 1
    assert "3 sets of data came: avatars, mnist, fruit. Wanted one, or two" in capsys.readouterr().err


def test_missing_run_is_refused_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "zerosum", "sample", str(tmp_path / "nowhere")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "nowhere" in done.stderr


def test_a_games_settings_are_in_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "dcgan", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "--network" in printed
    assert "radford" in printed
    assert "--minutes" in printed


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("zerosum 0.")


@pytest.mark.parametrize("name", snapshots.COMMANDS)
def test_it_prints_what_it_printed(name: str) -> None:
    recorded = (snapshots.FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert snapshots.printed(snapshots.COMMANDS[name]) == recorded, "meant? python -m tests.cli.snapshots"
