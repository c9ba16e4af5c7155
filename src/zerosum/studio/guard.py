"""Who may speak with the studio: the checks that every request and every WebSocket passes before anything else.

Pure ASGI, so that nothing is let through because it is no HTTP request. A page of another site cannot read what is
here (no Origin of its own is accepted), cannot come by another name (the Host must be ours to the letter, against DNS
rebinding), and cannot guess the token.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LARGEST_BODY = 64 * 1024  # bytes: requests are a few words
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
DOOR = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'
    b'<title>Zerosum studio</title><p><a href="/">To the studio</a></p></html>'
)
HINT = "Open the address that `zerosum studio` has printed in its terminal, with its token."


class Guard:
    """Lets through what comes by our own name, from our own pages, with the token."""

    def __init__(self, app: App, token: str, port: int, names: tuple[str, ...], by_address: bool = False):
        """`names`: by which the machine may be called, such as 127.0.0.1 and localhost. `by_address`: also by the
        number at which a request reached it, for a studio that listens at all of its addresses."""
        self._app, self._token, self._port, self._by_address = app, token, port, by_address
        self._hosts = frozenset(f"{name}:{port}".lower() for name in names)
        self.cookie = f"zerosum-studio-{port}"  # cookies know no ports: two studios would share one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        refused = self._refusal(scope)
        if refused is not None:
            await _refuse(scope, receive, send, *refused)
        elif scope["type"] == "http" and scope["path"] == "/" and self._is_token(_asked(scope)):
            await self._welcome(send)
        elif not self._is_token(self._kept(scope)):
            await _refuse(scope, receive, send, 403, f"This studio is not open to everyone. {HINT}")
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why the request is not even looked at; None where it may go on to the token."""
        hosts, origins = _all(scope, b"host"), _all(scope, b"origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0].lower(), scope):
            return 421, f"This studio does not go by that name. {HINT}"
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if origins != [f"http://{hosts[0].lower()}"] and (origins or changes):
            return 403, f"Only the studio's own pages may ask for that. {HINT}"
        return _too_large(scope) if changes and scope["type"] == "http" else None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        address = (scope.get("server") or ("",))[0] if self._by_address else ""
        reached = f"[{address}]:{self._port}" if ":" in address else f"{address}:{self._port}"
        return host in self._hosts or (bool(address) and host == reached.lower())

    def _is_token(self, word: str) -> bool:
        return hmac.compare_digest(word.encode("utf-8", "replace"), self._token.encode())

    def _kept(self, scope: Scope) -> str:
        """The token in the browser's cookie; empty without one."""
        for pair in "; ".join(_all(scope, b"cookie")).split(";"):  # by hand: others' cookies, of any port, may be odd
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                return value
        return ""

    async def _welcome(self, send: Send) -> None:
        """Keeps the token in a cookie, and takes it out of the address.

        By a page of ours that leads on, and no redirection: after one, whoever had followed a link from elsewhere (a
        terminal in the browser) would arrive without the cookie, for it is SameSite=Strict.
        """
        cookie = f"{self.cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"set-cookie", cookie.encode())]
        length = (b"content-length", str(len(DOOR)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": DOOR})


class Calm:
    """What goes wrong inside becomes a sentence, in the browser and in the terminal; nobody is shown a traceback."""

    def __init__(self, app: App, say: Callable[[str], None]):
        self._app, self._say = app, say

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            self._say(f"studio: {scope.get('path', '')} failed ({type(error).__name__}: {error})")
            if not begun:
                await _refuse(scope, receive, send, 500, "Something went wrong here; the terminal says what.")


def _all(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _asked(scope: Scope) -> str:
    """The token in the address; empty without one, or with two."""
    found = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=None).get("token", [])
    return found[0] if len(found) == 1 else ""


def _too_large(scope: Scope) -> tuple[int, str] | None:
    """A body must say its length, and be short."""
    if _all(scope, b"transfer-encoding"):
        return 411, "The request does not say how long it is."
    length = (_all(scope, b"content-length") or ["0"])[0]
    if not length.isdecimal() or len(length) > 9 or int(length) > LARGEST_BODY:
        return 413, f"The request is too long: wanted at most {LARGEST_BODY:,} bytes."
    return None


def _with_headers(send: Send) -> Send:
    """Adds the headers that every answer bears."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            given = {name for name, _ in message.get("headers", [])}
            ours = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given]
            message = {**message, "headers": [*message.get("headers", []), *ours]}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, says: str) -> None:
    """A sentence as JSON; a WebSocket is closed before it opens."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": says[:120]})
        return
    body = json.dumps({"error": says}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
