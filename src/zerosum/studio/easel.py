"""A browser's socket: it asks for pictures; the latest request wins, and one is drawn at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from zerosum.core.errors import Refusal
from zerosum.studio import wire
from zerosum.studio.artist import Artist

LARGEST_SEED = 2**32 - 1
WANTED = 'Wanted JSON such as {"ask": 1, "seed": 7, "truncation": 0.7, "labels": {"hat": "none"}}.'


@dataclass(frozen=True)
class Ask:
    """One picture that is asked for; `ask` is the browser's own number for it, which comes back with the answer."""

    ask: int
    seed: int
    truncation: float
    labels: dict[str, str]

    @classmethod
    def read(cls, text: str | None) -> Ask:
        """From a message of the browser. Raises BadAsk for any other."""
        try:
            record = json.loads(text or "")
        except (ValueError, RecursionError) as error:
            raise BadAsk("The message is no JSON.") from error
        if not isinstance(record, dict):
            raise BadAsk("The message is no request.")
        ask, seed = record.get("ask"), record.get("seed")
        truncation, labels = record.get("truncation", 1.0), record.get("labels", {})
        if type(ask) is not int or not 0 <= ask < 2**53:
            raise BadAsk("The request has no number.")
        if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
            raise BadAsk(f"A seed is a whole number from 0 to {LARGEST_SEED}.", ask)
        if type(truncation) not in (int, float) or not 0 < truncation <= 1:
            raise BadAsk("Truncation lies above 0 and is at most 1.", ask)
        if not isinstance(labels, dict) or len(labels) > 100 or not all(isinstance(v, str) for v in labels.values()):
            raise BadAsk("Labels are words by their name.", ask)
        return cls(ask, seed, float(truncation), labels)


class BadAsk(Exception):
    """A message that asks for nothing; `number` holds its "ask" where it had one, so that the answer finds home."""

    def __init__(self, says: str, ask: int | None = None):
        super().__init__(f"{says} {WANTED}")
        self.number = {} if ask is None else {"ask": ask}


class Easel:
    """One open socket, for one generator."""

    def __init__(self, socket: WebSocket, artist: Artist, snapshot: Callable[[], Path]):
        self._socket, self._artist, self._snapshot = socket, artist, snapshot
        self._waiting: Ask | None = None
        self._asked = asyncio.Event()

    async def serve(self) -> None:
        """Says what the generator is, then draws until the browser leaves. What goes wrong is said, and it goes on."""
        drawing = asyncio.create_task(self._draw())
        try:
            await self._listen()
        except WebSocketDisconnect:
            pass
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await drawing

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                ask = Ask.read(message.get("text"))
            except BadAsk as refusal:
                await self._say({"error": str(refusal), **refusal.number})
                continue
            if self._waiting is not None:
                await self._say({"ask": self._waiting.ask, "passed": True})
            self._waiting = ask
            self._asked.set()

    async def _draw(self) -> None:
        await self._say(await self._about())
        while True:
            await self._asked.wait()
            self._asked.clear()
            ask, self._waiting = self._waiting, None
            if ask is not None:
                await self._socket.send_bytes(await self._drawn(ask))

    async def _about(self) -> dict[str, Any]:
        try:
            header, _ = await self._artist.ask(do="about", file=str(self._file()))
        except Refusal as refusal:
            return {"error": str(refusal)}
        return {"about": header}

    async def _drawn(self, ask: Ask) -> bytes:
        try:
            header, picture = await self._artist.ask(
                do="draw", file=str(self._file()), seed=ask.seed, truncation=ask.truncation, labels=ask.labels
            )
        except Refusal as refusal:
            return wire.pack({"ask": ask.ask, "error": str(refusal)})
        return wire.pack({"ask": ask.ask, **header}, picture)

    def _file(self) -> Path:
        try:
            return self._snapshot()
        except LookupError as error:
            raise Refusal(str(error.args[0])) from error

    async def _say(self, record: dict[str, Any]) -> None:
        await self._socket.send_text(json.dumps(record))
