"""The process that draws: it holds one generator, reads requests from its standard input, and writes pictures.

`python -m zerosum.studio.worker`; the studio starts it when the first picture is asked for, so that the page itself
waits for no torch. Messages are those of `wire`; nothing else is ever written to its output.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from zerosum.core.errors import Refusal
from zerosum.studio import wire


class Holder:
    """The one generator that is loaded, and the file that it came from."""

    def __init__(self) -> None:
        self._file: tuple[str, int, int] | None = None
        self._generator: Any = None
        self._model = ""

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """To {"do": "about", "file"}: what the generator is and can do. To {"do": "draw", "file", "seed", "truncation",
        "labels"}: the picture, a PNG whose text says how to draw it again. Raises Refusal."""
        self._hold(Path(request["file"]))
        return (self._about(), b"") if request["do"] == "about" else self._draw(request)

    def _hold(self, path: Path) -> None:
        from zerosum.core.files import sha256
        from zerosum.core.generator import load

        try:
            stat = path.stat()
        except OSError as error:
            raise Refusal(f"{path.name} is gone ({error.strerror}). Choose the run again.") from error
        file = (str(path), stat.st_mtime_ns, stat.st_size)
        if file != self._file:
            self._file = self._generator = None  # one at a time is in memory
            self._generator, self._model = load(path), sha256(path)
            self._file = file

    def _about(self) -> dict[str, Any]:
        from zerosum.core.batch import TableShape
        from zerosum.core.generator import Conditions, Samples, Truncates

        held, header = self._generator, self._generator.header
        samples = isinstance(held, Samples) and not isinstance(header.shape, TableShape)
        if not samples:
            raise Refusal(f"{header.game} makes no pictures from noise alone here: there is nothing to look at.")
        told = isinstance(held, Conditions)
        return {
            "game": header.game,
            "data": header.data,
            "images": header.images,
            "width": header.shape.width * held.abreast,
            "height": header.shape.height,
            "truncates": isinstance(held, Truncates),
            "labels": {a.name: list(a.classes) for a in header.shape.attributes} if told else {},
            "model": self._model,
        }

    def _draw(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        from PIL import PngImagePlugin

        held = self._generator
        seed, labels, truncation = request["seed"], request["labels"], request["truncation"]
        pixels = held.sample(held.abreast, seed, labels=labels, truncation=truncation)
        text, out = PngImagePlugin.PngInfo(), io.BytesIO()
        for key, value in held.header.stamp("zerosum studio", self._model, seed, labels, truncation).items():
            text.add_text(key, value)
        _side_by_side(pixels).save(out, format="PNG", pnginfo=text, compress_level=1)  # speed before size: it is near
        return {"seed": seed, "truncation": truncation, "labels": labels, "model": self._model}, out.getvalue()


def _side_by_side(pixels: Any) -> Any:
    """One picture, or those that belong together beside each other; uint8 [n, H, W, C] to a Pillow image."""
    import numpy as np

    from zerosum.core.pictures import to_pil

    return to_pil(np.concatenate(list(pixels), axis=1))


def main() -> None:
    """Answers until its input ends. What goes wrong becomes a sentence: {"error"}."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not be taken for a reply
    holder = Holder()
    while True:
        try:
            request, _ = wire.receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            header, body = holder.answer(request)
        except Refusal as refusal:
            header, body = {"error": str(refusal)}, b""
        except MemoryError:
            header, body = {"error": "There is not enough memory to draw this. Stop a run, or close something."}, b""
        except Exception as error:  # no run of odd content may end the worker, and nobody reads a traceback
            header, body = {"error": f"This picture could not be drawn ({type(error).__name__}: {error})."}, b""
        replies.write(wire.pack(header, body))
        replies.flush()


if __name__ == "__main__":
    main()
