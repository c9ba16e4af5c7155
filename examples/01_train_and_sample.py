"""Trains dcgan on drawn faces for a minute and saves a grid of what it makes.

python examples/01_train_and_sample.py
"""

import zerosum as zs

run = zs.train("dcgan", zs.avatars(64, count=2000), minutes=1)
generator = zs.load(run.best)
generator.grid(64, seed=0).save("faces.png")
print(f"faces.png, and the report: {run.path / 'report.html'}")
