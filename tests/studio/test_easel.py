"""The socket for pictures: what it draws, and what it makes of odd messages."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.studio.conftest import made_up_generator
from tests.studio.test_guard import Caller
from zerosum import cli
from zerosum.studio.watched import name_of


@pytest.fixture
def socket(url: str, runs: Path) -> Iterator[ClientConnection]:
    with Caller(url).socket(f"/api/pictures/{name_of(runs / '00000-dcgan-blobs')}") as opened:
        about = json.loads(opened.recv(timeout=60))["about"]
        assert (about["game"], about["width"], about["truncates"]) == ("cgan", 32, True)
        assert about["labels"] == {"glasses": ["no", "yes"], "hair colour": ["red", "none"]}
        yield opened


def answer(socket: ClientConnection) -> tuple[dict[str, Any], bytes]:
    frame = socket.recv(timeout=60)
    if isinstance(frame, str):
        return json.loads(frame), b""
    header, body = struct.unpack(">II", frame[:8])
    assert len(frame) == 8 + header + body
    return json.loads(frame[8 : 8 + header]), frame[8 + header :]


def ask(socket: ClientConnection, **wish: Any) -> tuple[dict[str, Any], bytes]:
    socket.send(json.dumps(wish))
    return answer(socket)


def test_a_picture_is_that_of_its_seed(socket: ClientConnection) -> None:
    for number, wish in enumerate(
        [{"seed": 5}, {"seed": 6}, {"seed": 5, "truncation": 0.5}, {"seed": 5, "labels": {"glasses": "yes"}}]
    ):
        header, png = ask(socket, ask=number, **wish)
        assert (header["ask"], header["seed"]) == (number, wish["seed"])
        told: dict[str, Any] = {"labels": {}, "truncation": 1.0, **wish}
        wanted = made_up_generator().sample(1, told["seed"], labels=told["labels"], truncation=told["truncation"])
        with Image.open(io.BytesIO(png)) as picture:
            np.testing.assert_allclose(np.asarray(picture, int), wanted[0].astype(int), atol=1)


def test_its_text_is_that_of_the_command_line(socket: ClientConnection, runs: Path, tmp_path: Path) -> None:
    _, png = ask(socket, ask=1, seed=5, truncation=0.5, labels={"glasses": "yes"})
    wish = ["--seed", "5", "--truncation", "0.5", "--label", "glasses=yes", "-o", str(tmp_path / "x.png")]
    assert cli.main(["sample", str(runs / "00000-dcgan-blobs"), "-n", "1", *wish]) == 0
    with Image.open(io.BytesIO(png)) as ours, Image.open(tmp_path / "x.png") as theirs:
        assert {**ours.info, "Software": "zerosum sample"} == theirs.info
        assert theirs.info["labels"] == "glasses=yes"


ODD = ["", "{", "[]", "null", "7", '"x"', "{}", '{"ask": 1}', '{"seed": 1}', '{"ask": -1, "seed": 1}',
       '{"ask": 1, "seed": -1}', '{"ask": 1, "seed": 4294967296}', '{"ask": 1, "seed": 1.5}',
       '{"ask": 1, "seed": true}', '{"ask": 1, "seed": 1, "truncation": 0}', '{"ask": 1, "seed": 1, "truncation": 2}',
       '{"ask": 1, "seed": 1, "truncation": NaN}', '{"ask": 1, "seed": 1, "truncation": "1"}',
       '{"ask": 1, "seed": 1, "labels": []}', '{"ask": 1, "seed": 1, "labels": {"a": 1}}', "[" * 50_000,
       b"\x00\x01", b"", b"\xff" * 1000]  # fmt: skip


def test_odd_messages_are_answered_in_a_sentence_and_it_lives(socket: ClientConnection) -> None:
    for message in ODD:
        socket.send(message)
        header, _ = answer(socket)
        assert "Wanted JSON such as" in header["error"], message[:80]
    assert ask(socket, ask=9, seed=1)[1].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("labels", "said"),
    [({"hat": "yes"}, "no label 'hat'"), ({"glasses": "blue"}, "no such class"), ({"": ""}, "no label ''")],
)
def test_unknown_labels_are_refused_by_name(socket: ClientConnection, labels: dict[str, str], said: str) -> None:
    header, png = ask(socket, ask=3, seed=1, labels=labels)
    assert (header["ask"], png) == (3, b"")
    assert said in header["error"]
    assert ask(socket, ask=4, seed=1)[1]


def test_the_latest_wins(socket: ClientConnection) -> None:
    for number in range(40):
        socket.send(json.dumps({"ask": number, "seed": number}))
    drawn, passed = [], []
    while len(drawn) + len(passed) < 40:
        header, png = answer(socket)
        (drawn if png else passed).append(header["ask"])
    assert drawn[-1] == 39  # what was asked last is drawn
    assert sorted(drawn + passed) == list(range(40))  # and each request hears what became of it


def test_a_message_too_long_ends_its_own_socket_alone(url: str, runs: Path, socket: ClientConnection) -> None:
    with Caller(url).socket(f"/api/pictures/{name_of(runs / '00000-dcgan-blobs')}") as other:
        assert "about" in answer(other)[0]
        other.send("x" * 2**20)
        with pytest.raises(ConnectionClosed):
            other.recv(timeout=60)
    assert ask(socket, ask=1, seed=1)[1]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nowhere", "no such run"),
        ("00001-dcgan-blobs", "saved nothing that draws"),
        ("00003-dcgan-blobs", "cannot be read"),
    ],
)
def test_what_cannot_draw_says_why(url: str, runs: Path, folder: str, said: str) -> None:
    with Caller(url).socket(f"/api/pictures/{name_of(runs / folder)}") as opened:
        assert said in answer(opened)[0]["error"]
        assert said in ask(opened, ask=1, seed=1)[0]["error"]
