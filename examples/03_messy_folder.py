"""Makes a folder of pictures as people have them: sizes, formats, copies, broken files, labels. Then inspect it.

python examples/03_messy_folder.py messy && zerosum data inspect messy -o inspect.png
"""

import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from zerosum.data.catalog import DATA

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "messy")
fruit = DATA["fruit"].open(256, True)
kinds = fruit.shape.attributes[0].classes
dice = random.Random(0)


def save(picture: Image.Image, name: str, **settings) -> None:
    """Saves a picture into the folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **settings)


for i in range(600):
    picture = Image.fromarray(fruit.pixels(np.array([i * 3]))[0])
    kind = kinds[fruit.labels(np.array([i * 3]))[0, 0]]
    width, height = dice.choice([(256, 256), (256, 256), (256, 192), (240, 160), (160, 240), (120, 90)])
    picture = picture.crop(((256 - width) // 2, (256 - height) // 2, (256 + width) // 2, (256 + height) // 2))
    ending = dice.choice(["jpg", "jpg", "jpg", "png", "webp"])
    save(picture, f"{kind}/{i:03d}.{ending}", quality=90)
    if i % 50 == 0:  # sent by somebody who brightened it and made it smaller
        save(
            ImageEnhance.Brightness(picture).enhance(1.03).resize((width * 3 // 4, height * 3 // 4)),
            f"{kind}/{i:03d} (edited).jpg",
            quality=60,
        )
    if i % 40 == 0:
        (folder / f"{kind}/{i:03d} copy.{ending}").write_bytes((folder / f"{kind}/{i:03d}.{ending}").read_bytes())
    if i % 75 == 0:  # cut off while it was fetched
        whole = (folder / f"{kind}/{i:03d}.{ending}").read_bytes()
        (folder / f"{kind}/{i:03d} part.{ending}").write_bytes(whole[: len(whole) // 2])

(folder / "apple" / "empty.jpg").touch()
(folder / "apple" / "page.jpg").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
(folder / "pear" / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
(folder / "notes.txt").write_text("Fruit, from the shop.")
print(f"{folder}: {sum(path.is_file() for path in folder.rglob('*'))} files")
