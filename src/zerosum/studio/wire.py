"""How worker and browser are spoken to: a header of JSON and a body of bytes, with their lengths before them."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

LENGTHS = struct.Struct(">II")  # of header and body, big-endian
MOST = 64 * 2**20  # bytes in a header or a body: far beyond any picture


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """The message's bytes: length of the header, length of the body, header, body."""
    text = json.dumps(header).encode()
    return LENGTHS.pack(len(text), len(body)) + text + body


def lengths(head: bytes) -> tuple[int, int]:
    """The two lengths that a message begins with. Raises ValueError where they are no such."""
    header, body = LENGTHS.unpack(head)
    if max(header, body) > MOST:
        raise ValueError(f"a message of {header} and {body} bytes")
    return header, body


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The next message. Raises EOFError where the other side has gone."""
    header, body = lengths(_exactly(stream, LENGTHS.size))
    return json.loads(_exactly(stream, header)), _exactly(stream, body)


def _exactly(stream: IO[bytes], count: int) -> bytes:
    found = stream.read(count)
    if len(found) < count:
        raise EOFError
    return found
