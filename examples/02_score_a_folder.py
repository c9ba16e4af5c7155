"""Scores a folder of pictures, made by any tool, against the real ones: how good, and whether they are copies.

python examples/02_score_a_folder.py MADE REAL
"""

import sys

import numpy as np

import zerosum as zs
from zerosum.metrics.further import Further
from zerosum.metrics.panel import Panel

made, real = (zs.folder(path, resolution=64) for path in sys.argv[1:3])
pixels = made.pixels(np.arange(min(500, len(made))))
panel = Panel(real, n=500)
print(panel.score(pixels)["verdict"]["text"])
copies = Further(panel, pixels).score(["memorisation"])["memorisation"]
print(copies.get("text") or copies["refused"])
