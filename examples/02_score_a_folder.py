"""Scores a folder of pictures, made by any tool, against the real ones.

python examples/02_score_a_folder.py MADE REAL
"""

import sys

import numpy as np

import zerosum as zs
from zerosum.metrics.panel import Panel

made, real = (zs.folder(path, resolution=64) for path in sys.argv[1:3])
scores = Panel(real, n=500).score(made.pixels(np.arange(min(500, len(made)))))
print(scores["verdict"]["text"])
