"""The studio's server: its socket, its token, its address."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import secrets
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from zerosum.core.errors import Refusal
from zerosum.studio.app import build
from zerosum.studio.guard import Guard
from zerosum.studio.jobs import Jobs

HOME = "127.0.0.1"
PORTS = range(8470, 8490)  # tried in turn where none is named
LARGEST_MESSAGE = 64 * 1024  # bytes of a message that a browser sends through the socket


@dataclass
class Studio:
    """A studio that listens, and does not answer yet."""

    app: Guard
    listener: socket.socket
    url: str  # with the token
    jobs: Jobs

    def run(self) -> None:
        """Answers until Ctrl-C or SIGTERM."""
        config = uvicorn.Config(
            self.app,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody stands before it, and nobody's word on who asks is taken
            ws="websockets-sansio",
            ws_max_size=LARGEST_MESSAGE,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=30,
        )
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # an end like any other: all is put away
        with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
            uvicorn.Server(config).run(sockets=[self.listener])


def opened(folder: Path, host: str = HOME, port: int | None = None) -> Studio:
    """Listens at the port (0: any free one; None: the first free one of PORTS). Raises Refusal where it cannot."""
    listener = _listening(host, port)
    number = listener.getsockname()[1]
    jobs, token = Jobs(folder), secrets.token_urlsafe(32)
    app = Guard(build(folder, jobs), token, number, _names(host), by_address=not _is_home(host))
    shown = HOME if host in ("", "0.0.0.0") else f"[{host}]" if ":" in host else host
    return Studio(app, listener, f"http://{shown}:{number}/?token={token}", jobs)


def is_open_to_others(host: str) -> bool:
    """Whether other machines can reach it there."""
    return not _is_home(host)


def _is_home(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _names(host: str) -> tuple[str, ...]:
    """The names by which it may be called there; from other machines also the machine's own."""
    named = f"[{host}]" if ":" in host else host
    others = () if _is_home(host) else (socket.gethostname(), f"{socket.gethostname()}.local")
    return (HOME, "localhost", named, *others)


def _listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens there."""
    if port is not None and not 0 <= port <= 65535:
        raise Refusal(f"--port {port}: wanted 0 to 65535.")
    for number in PORTS if port is None else [port]:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, number), family=family, backlog=128)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port is not None:
                raise Refusal(
                    f"{host}:{number}: cannot listen there ({error.strerror}). Name another --port."
                ) from error
    raise Refusal(f"the ports {PORTS.start} to {PORTS.stop - 1} are all taken. Name one: --port 0 takes any free one.")
