"""Trains house on drawn faces, finds directions by their labels, and edits faces that it never saw.

python examples/06_edit_a_face.py [RUN]     (a run of house on avatars, where there is one already)
"""

import sys

import numpy as np

import zerosum as zs
from zerosum.core.pictures import labelled_columns, save_png, to_uint8
from zerosum.latent.directions import calibrated, decoded, encoded
from zerosum.latent.invert import invert
from zerosum.latent.normals import sliders_from_labels
from zerosum.latent.residual import composite
from zerosum.latent.sliders import Slider, Sliders, Wish

data = zs.avatars(64)
generator = zs.load(sys.argv[1] if len(sys.argv) > 1 else zs.train("house", data, minutes=4).best)
wanted = ("glasses:sunglasses", "beard", "hair length:long", "hair colour:grey", "skin:black")

faces = data.batch(np.arange(4000))
codes, sliders = encoded(generator, faces.x), Sliders("z")
for slider in sliders_from_labels(codes, faces.y.numpy(), data.shape.attributes):
    if isinstance(slider, Slider) and slider.name in wanted:
        sliders.add(calibrated(generator, slider, codes))

x = data.heldout().batch(np.arange(6)).x
found = invert(generator, x)
edits = [found.code + sliders.change(found.code, {name: Wish(1.0)}) for name in wanted]
columns = [x, found.picture, *(composite(x, found.picture, decoded(generator, code)) for code in edits)]
titles = ["face", "redrawn", *(name.split(":")[-1] for name in wanted)]
save_png(labelled_columns([to_uint8(column) for column in columns], titles, scale=2), "edits.png")
print("edits.png")
