"""The command line: help, refusals and exit codes as a user meets them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import snapshots
from zerosum import cli
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


def test_games_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in catalog.names())


def test_unknown_game_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["games", "dcgn"]) == 1
    assert "did you mean 'dcgan'" in capsys.readouterr().err


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
