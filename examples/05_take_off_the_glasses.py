"""Trains vaegan on drawn faces, finds what glasses add to a code, and takes them off faces that it never saw.

python examples/05_take_off_the_glasses.py
"""

import numpy as np

import zerosum as zs
from zerosum.core.pictures import labelled_columns, save_png, to_uint8
from zerosum.latent.directions import mean_difference, moved

data = zs.avatars(32, count=5000)
run = zs.train("vaegan", data, minutes=5)
generator = zs.load(run.best)

glasses = [attribute.name for attribute in data.shape.attributes].index("glasses")
faces, unseen = data.batch(np.arange(2000)), data.heldout().batch(np.arange(200))
wears = faces.y[:, glasses] > 0
direction = mean_difference(generator, faces.x[wears], faces.x[~wears])

x = unseen.x[unseen.y[:, glasses] > 0][:8]
columns = [x, *(moved(generator, x, direction, strength) for strength in (0, -0.75, -1.5))]
picture = labelled_columns([to_uint8(part) for part in columns], ["face", "again", "halfway", "off"], scale=3)
save_png(picture, "no-glasses.png")
print("no-glasses.png")
