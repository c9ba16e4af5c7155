"""`zerosum studio`."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from zerosum import cli
from zerosum.cli import studio as verb
from zerosum.studio import serve


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[serve.Studio]:
    """What would have been served: each studio ends at once."""
    seen: list[serve.Studio] = []

    def end(studio: serve.Studio) -> None:
        seen.append(studio)
        studio.listener.close()

    monkeypatch.setattr(serve.Studio, "run", end)
    monkeypatch.setattr(verb.webbrowser, "open", lambda url: pytest.fail("no browser was asked for"))
    return seen


def test_it_prints_its_address_with_a_token(
    served: list[serve.Studio], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = []
    for _ in range(2):
        assert cli.main(["studio", str(tmp_path), "--no-browser", "--port", "0", "--json"]) == 0
        captured = capsys.readouterr()
        record = json.loads(captured.out)
        assert record["folder"] == str(tmp_path)
        found = re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=([\w-]{43})", record["url"])
        assert found is not None
        tokens.append(found[1])
        assert captured.err == ""
    assert tokens[0] != tokens[1]


def test_a_runs_own_folder_shows_the_folder_it_lies_in(
    served: list[serve.Studio], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "00000-gan-x").mkdir()
    (tmp_path / "00000-gan-x" / "run.json").write_text("{}")
    assert cli.main(["studio", str(tmp_path / "00000-gan-x"), "--no-browser", "--port", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path)


def test_an_address_that_others_reach_comes_with_a_warning(
    served: list[serve.Studio], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for host, careful in (("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)):
        assert cli.main(["studio", str(tmp_path), "--no-browser", "--port", "0", "--host", host]) == 0
        assert ("Careful: at 0.0.0.0 other machines can reach" in capsys.readouterr().err) == careful


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for argv, said in (
            ([str(tmp_path / "nowhere")], "no such folder"),
            ([str(tmp_path / "file")], "not a folder"),
            ([str(tmp_path), "--port", port], "Name another --port"),
            ([str(tmp_path), "--port", "70000"], "wanted 0 to 65535"),
            ([str(tmp_path), "--host", "nosuch.invalid"], "cannot listen there"),
        ):
            assert cli.main(["studio", *argv, "--no-browser"]) == 1
            assert said in capsys.readouterr().err


def test_a_studio_for_others_goes_by_the_address_that_was_reached(tmp_path: Path) -> None:
    studio = serve.opened(tmp_path, "0.0.0.0", 0)
    port = studio.listener.getsockname()[1]
    studio.listener.close()
    scope = {"server": ("192.168.7.7", port)}
    assert studio.app._is_ours(f"192.168.7.7:{port}", scope)
    assert studio.app._is_ours(f"127.0.0.1:{port}", scope)
    assert not studio.app._is_ours(f"192.168.7.8:{port}", scope)
    assert not studio.app._is_ours(f"evil.example:{port}", scope)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "zerosum", "studio", str(tmp_path), "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split("http://")[1].split("/")[0]
        connection = http.client.HTTPConnection(address, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status == 403  # it serves
        connection.close()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
