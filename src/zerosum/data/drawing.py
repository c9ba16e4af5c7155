"""Drawings made of lines (SVG) as pixels, on all cores: resvg keeps the interpreter while it draws, so that threads
would wait for one another, and other processes do it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import resvg_py
from PIL import Image

SMALLEST = 64  # drawings a process at least: it takes as long to start as to draw them


def draw(svg: str, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3] from a square drawing, on white, cut to shape about its middle."""
    side = max(height, width)
    png = resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side, background="#ffffff", skip_system_fonts=True)
    top, left = (side - height) // 2, (side - width) // 2
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))[top : top + height, left : left + width]


def draw_all(svgs: Sequence[str], pixels: np.ndarray, title: str, progress: bool) -> None:
    """Draws each on its row of `pixels`, uint8 [n, height, width, 3]."""
    from zerosum.data.pictures import (
        progress_bar,
    )  # here, because it brings torch, which the processes need not wait for

    height, width = pixels.shape[1:3]
    cores = os.cpu_count() or 1
    size = max(SMALLEST, -(-len(svgs) // (4 * cores)))

    def one(start: int) -> int:
        task = {"svgs": svgs[start : start + size], "height": height, "width": width}
        command = [sys.executable, "-m", "zerosum.data.drawing"]
        drawn = subprocess.run(command, input=json.dumps(task).encode(), stdout=subprocess.PIPE, check=True).stdout
        pixels[start : start + size] = np.frombuffer(drawn, np.uint8).reshape(-1, height, width, 3)
        return len(task["svgs"])

    with progress_bar(title, len(svgs), progress) as advance, ThreadPoolExecutor(cores) as pool:
        for num in pool.map(one, range(0, len(svgs), size)):
            advance(num)


def _main() -> None:
    task = json.load(sys.stdin.buffer)
    for svg in task["svgs"]:
        sys.stdout.buffer.write(draw(svg, task["height"], task["width"]).tobytes())


if __name__ == "__main__":
    _main()
