"""Who gets in: names, origins, tokens, and paths that lead nowhere. Against a server that runs."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.studio.conftest import SECRET
from zerosum.studio.guard import LARGEST_BODY
from zerosum.studio.watched import name_of


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def error(self) -> str:
        return json.loads(self.body)["error"]


class Caller:
    """Speaks HTTP to the studio, word for word as a test wants it."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        assert parts.port
        self.port, self.token = parts.port, parse_qs(parts.query)["token"][0]
        self.host = f"127.0.0.1:{self.port}"
        self.origin = f"http://{self.host}"
        self.cookie = f"zerosum-studio-{self.port}={self.token}"

    def ask(
        self, path: str, method: str = "GET", headers: list[tuple[str, str]] | None = None, body: str = ""
    ) -> Answer:
        """With the right name and token where `headers` says nothing else."""
        given = {name.lower() for name, _ in headers or []}
        usual = [("Host", self.host), ("Cookie", self.cookie)]
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in [*(pair for pair in usual if pair[0].lower() not in given), *(headers or [])]:
                if value:
                    connection.putheader(name, value.encode("latin-1"))
            connection.endheaders(body.encode() or None)
            with connection.getresponse() as found:
                text = found.read().decode("latin-1")
                return Answer(found.status, {k.lower(): v for k, v in found.getheaders()}, text)

    def socket(self, path: str, **headers: str) -> ClientConnection:
        """An open WebSocket; `origin`, `host` and `cookie` as given."""
        own = {"Origin": self.origin, "Cookie": self.cookie, **{k.title(): v for k, v in headers.items()}}
        host = own.pop("Host", self.host).split(":")[0]
        return connect(
            f"ws://{host}:{self.port}{path}",
            sock=socket.create_connection(("127.0.0.1", self.port)),
            additional_headers={name: value for name, value in own.items() if value},
            compression=None,
            proxy=None,
        )


@pytest.fixture(scope="module")
def caller(url: str) -> Caller:
    return Caller(url)


@pytest.fixture(scope="module")
def run(runs: Path) -> str:
    return name_of(runs / "00000-dcgan-blobs")


FORGED = ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}",
          "127.0.0.1:{port}.evil.example", "127.0.0.1.:{port}", "0.0.0.0:{port}", "127.0.0.1:{port}@evil.example",
          "127.0.0.1:0{port}"]  # fmt: skip
STRANGE = ["null", "http://127.0.0.1.evil.example:{port}", "https://127.0.0.1:{port}", "http://127.0.0.1",
           "http://127.0.0.1:1", "http://127.0.0.1:{port}/", "http://evil.example", "http://localhost:{port}",
           "http://127.0.0.1:{port}.evil.example", "file://"]  # fmt: skip


@pytest.mark.parametrize("host", FORGED)
def test_a_forged_host_is_refused(caller: Caller, host: str) -> None:
    answer = caller.ask("/api/runs", headers=[("Host", host.format(port=caller.port))])
    assert answer.status in (400, 421)
    assert "blobs" not in answer.body


def test_two_hosts_or_none_are_refused(caller: Caller) -> None:
    assert caller.ask("/api/runs", headers=[("Host", "")]).status == 400
    assert caller.ask("/api/runs", headers=[("Host", caller.host), ("Host", "evil.example")]).status == 400


@pytest.mark.parametrize("origin", STRANGE)
def test_a_strange_origin_may_neither_ask_nor_change(caller: Caller, run: str, origin: str) -> None:
    strange = [("Origin", origin.format(port=caller.port)), ("Content-Type", "application/json")]
    for method, path in (("GET", "/api/runs"), ("POST", f"/api/runs/{run}/stop")):
        answer = caller.ask(path, method, strange, "{}" if method == "POST" else "")
        assert answer.status == 403
        assert "own pages" in answer.error


def test_a_change_needs_an_origin_and_only_one(caller: Caller, run: str) -> None:
    stop = f"/api/runs/{run}/stop"
    assert caller.ask(stop, "POST").status == 403
    assert caller.ask(stop, "POST", [("Origin", caller.origin), ("Origin", "null")]).status == 403
    answer = caller.ask(stop, "POST", [("Origin", caller.origin)])
    assert answer.status == 409
    assert "no process of this machine trains" in answer.error


@pytest.mark.parametrize(
    "headers",
    [
        *({"origin": origin} for origin in [*STRANGE, ""]),
        {"host": "evil.example"},
        {"host": "localhost"},  # a name of ours, but not the one that the origin says
        {"cookie": ""},
        {"cookie": "zerosum-studio-{port}=wrong"},
        {"cookie": "zerosum-studio-1={token}"},
    ],
)
def test_a_socket_is_checked_as_well(caller: Caller, run: str, headers: dict[str, str]) -> None:
    filled = {name: value.format(port=caller.port, token=caller.token) for name, value in headers.items()}
    with pytest.raises(InvalidStatus) as refused:
        caller.socket(f"/api/pictures/{run}", **filled)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "cookie",
    ["", "zerosum-studio-{port}=", "zerosum-studio-{port}=wrong", "zerosum-studio-{port}={token}x", "other={token}",
     "zerosum-studio-{port}={short}", "zerosum-studio-{port}=\xe9\xff", "=;;,==", "zerosum-studio-1={token}"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/api/runs", "/icon.svg", "/nothing"])
def test_without_the_token_nothing_is_told(caller: Caller, path: str, cookie: str) -> None:
    filled = cookie.format(port=caller.port, token=caller.token, short=caller.token[:-1])
    answer = caller.ask(path, headers=[("Cookie", filled)])
    assert answer.status == 403
    assert "zerosum studio" in answer.error
    assert caller.token not in answer.body


@pytest.mark.parametrize(
    "query", ["token=wrong", "token=", "token={token}&token=wrong", "TOKEN={token}", "token={token}x"]
)
def test_a_wrong_token_in_the_address(caller: Caller, query: str) -> None:
    answer = caller.ask(f"/?{query.format(token=caller.token)}", headers=[("Cookie", "")])
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_the_token_in_the_address_opens_the_page_alone(caller: Caller) -> None:
    assert caller.ask(f"/api/runs?token={caller.token}", headers=[("Cookie", "")]).status == 403
    answer = caller.ask(f"/?token={caller.token}", headers=[("Cookie", "")])
    assert answer.status == 200
    assert 'content="0; url=/"' in answer.body
    assert caller.token not in answer.body
    assert answer.headers["set-cookie"] == f"{caller.cookie}; Path=/; HttpOnly; SameSite=Strict"
    assert caller.ask("/").status == 200


def test_every_answer_bears_the_headers(caller: Caller) -> None:
    for path, headers in (
        ("/", []),
        ("/api/runs", []),
        ("/nothing", []),
        ("/", [("Cookie", "")]),
        ("/", [("Host", "x")]),
    ):
        found = caller.ask(path, headers=headers).headers
        assert "default-src 'none'" in found["content-security-policy"]
        assert "unsafe" not in found["content-security-policy"]
        assert found["x-content-type-options"] == "nosniff"
        assert found["x-frame-options"] == "DENY"
        assert found["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in found
        assert "access-control-allow-origin" not in found


SPELLINGS = ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "%2e%2e%2fsecret.txt", "..\\secret.txt",
             "..%5csecret.txt", "%252e%252e%252fsecret.txt", "....//secret.txt", "..;/secret.txt", "..%c0%afsecret.txt",
             "%00../secret.txt", "/etc/passwd", "file:///etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_leads_out_of_the_list(caller: Caller, run: str, spelling: str) -> None:
    for begin in ("/", "/assets/", "/api/runs/", f"/api/runs/{run}/", f"/api/runs/{run}/grids/", "/api/runs/x/"):
        answer = caller.ask(begin + spelling)
        assert answer.status in (400, 404, 405, 422), begin
        assert SECRET not in answer.body
        assert "root:" not in answer.body
    assert "no such run" in through_a_socket(caller, f"/api/pictures/{spelling}")


def through_a_socket(caller: Caller, path: str) -> str:
    """The first that a socket says; of one that is not opened, that there is no such run either."""
    try:
        with caller.socket(path.replace("\\", "%5c")) as opened:
            return json.loads(opened.recv(timeout=20))["error"]
    except InvalidStatus as refused:
        return {403: "no such run"}[refused.response.status_code]


def test_a_long_or_endless_body_is_refused(caller: Caller) -> None:
    ours = [("Origin", caller.origin), ("Content-Type", "application/json")]
    long = caller.ask("/api/jobs", "POST", [*ours, ("Content-Length", str(LARGEST_BODY + 1))])
    assert long.status == 413
    assert "too long" in long.error
    assert caller.ask("/api/jobs", "POST", [*ours, ("Transfer-Encoding", "chunked")], "0\r\n\r\n").status == 411


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '{"data": 1}', '{"minutes": "x"}', '{"data": {"a": 1}}', "\x00"]
)
def test_what_cannot_be_read_is_a_sentence(caller: Caller, body: str) -> None:
    ours = [("Origin", caller.origin), ("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    answer = caller.ask("/api/jobs", "POST", ours, body)
    assert answer.status == 422
    assert answer.error.startswith("The request cannot be read")


def test_other_methods_are_refused_in_a_sentence(caller: Caller) -> None:
    for method in ("DELETE", "PUT", "TRACE", "OPTIONS"):
        answer = caller.ask("/api/runs", method, [("Origin", caller.origin)])
        assert answer.status in (404, 405)
        assert answer.error
