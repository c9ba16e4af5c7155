"""The worker process, seen from the server: one request at a time, and started anew where it has died."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from zerosum.core.errors import Refusal
from zerosum.studio import wire


class Artist:
    """Asks the worker, which is started with the first request."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def ask(self, **request: Any) -> tuple[dict[str, Any], bytes]:
        """The worker's answer: its header, and a picture where one was asked for. Raises Refusal with its sentence, and
        where it has died."""
        async with self._turn:
            asked = asyncio.ensure_future(self._exchange(request))
            try:
                header, body = await asyncio.shield(asked)
            except asyncio.CancelledError:  # who asked has gone; the answer must still be read, or the next gets it
                with contextlib.suppress(Refusal):
                    await asked
                raise
        if "error" in header:
            raise Refusal(header["error"])
        return header, body

    async def close(self) -> None:
        """Ends the worker."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def _exchange(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        process = await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(wire.pack(request))
            await process.stdin.drain()
            header, body = wire.lengths(await process.stdout.readexactly(wire.LENGTHS.size))
            return json.loads(await process.stdout.readexactly(header)), await process.stdout.readexactly(body)
        except (OSError, EOFError, ValueError) as error:  # IncompleteReadError is an EOFError
            await self.close()
            raise Refusal("The process that draws has ended, perhaps for want of memory. Ask again.") from error

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "zerosum.studio.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is the server's; the worker ends with its input
            )
        return self._process
