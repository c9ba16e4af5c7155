"""Drawn faces with labels: parts of python-avatars, drawn by resvg. Unlimited, and each one decided by its index."""

from __future__ import annotations

import bisect
import functools
import importlib.metadata
import io
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
import python_avatars as pa
import resvg_py
from PIL import Image

from zerosum.core.batch import Attribute, DataShape
from zerosum.core.errors import Refusal
from zerosum.core.files import digest
from zerosum.data.pictures import Pictures, prepared, progress_bar, sides, workshop

RECIPE = 1  # raise it when the same index would give another face or another label
HELDOUT_START = 1_000_000_000  # held-out faces have the indices from here on
_FRAME = (26, 6, 212)  # left, top and side of the square that is cut from the library's 264 x 280
_BYTES = 1 << 30  # what a set of the default size may take on the disk
_CHUNK = 256

# The parts, by the class that a label names, and how often each is drawn.
_SKIN = {
    "pale": (pa.SkinColor.PALE, 22),
    "light": (pa.SkinColor.LIGHT, 24),
    "brown": (pa.SkinColor.BROWN, 20),
    "dark brown": (pa.SkinColor.DARK_BROWN, 18),
    "black": (pa.SkinColor.BLACK, 16),
}
_HAT = {
    "none": (None, 88),
    "beanie": (pa.HatType.WINTER_HAT_3, 4),
    "turban": (pa.HatType.TURBAN, 4),
    "hijab": (pa.HatType.HIJAB, 4),
}
_LENGTH = {"bald": 16, "short": 42, "long": 42}
_SHORT = {
    "buzz cut": (pa.HairType.BUZZCUT, 1),
    "caesar": (pa.HairType.CAESAR, 1),
    "flat": (pa.HairType.SHORT_FLAT, 1),
    "round": (pa.HairType.SHORT_ROUND, 1),
    "waved": (pa.HairType.SHORT_WAVED, 1),
    "short curls": (pa.HairType.SHORT_CURLY, 1),
    "short dreads": (pa.HairType.SHORT_DREADS_1, 1),
    "quiff": (pa.HairType.QUIFF, 1),
}
_LONG = {
    "bob": (pa.HairType.BOB, 1),
    "fringe": (pa.HairType.MIA_WALLACE, 1),
    "straight": (pa.HairType.STRAIGHT_STRAND, 1),
    "side sweep": (pa.HairType.STRAIGHT_1, 1),
    "big waves": (pa.HairType.BIG_HAIR, 1),
    "loose": (pa.HairType.LOOSE_HAIR, 1),
    "long curls": (pa.HairType.CURLY, 1),
    "fro": (pa.HairType.FRO, 1),
}
_HAIR_COLOUR = {
    "black": (pa.HairColor.BLACK, 20),
    "brown": (pa.HairColor.BROWN, 20),
    "auburn": (pa.HairColor.AUBURN, 15),
    "blonde": (pa.HairColor.BLONDE_GOLDEN, 18),
    "red": (pa.HairColor.RED, 12),
    "grey": (pa.HairColor.SILVER_GRAY, 15),
}
_BEARD = {
    "none": (None, 76),
    "short": (pa.FacialHairType.BEARD_LIGHT, 10),
    "full": (pa.FacialHairType.BEARD_MEDIUM, 10),
    "long": (pa.FacialHairType.BEARD_MAGESTIC, 4),
}
_MOUSTACHE = {
    None: 84,
    pa.FacialHairType.MOUSTACHE_MAGNUM: 8,
    pa.FacialHairType.MOUSTACHE_FANCY: 8,
}
_GLASSES = {"none": 64, "glasses": 20, "sunglasses": 16}
_ACCESSORY = {
    "glasses": {pa.AccessoryType.ROUND: 1, pa.AccessoryType.PRESCRIPTION_2: 1},
    "sunglasses": {pa.AccessoryType.SUNGLASSES: 1, pa.AccessoryType.WAYFARERS: 1},
}
# A mood's mouths are its own, so that the label is true where sunglasses or a hat hide the eyes or the brows.
_MOOD = {"neutral": 24, "happy": 40, "sad": 11, "angry": 13, "surprised": 12}
_MOUTH = {
    "neutral": {pa.MouthType.SERIOUS: 1},
    "happy": {pa.MouthType.SMILE: 2, pa.MouthType.BIG_SMILE: 1, pa.MouthType.TWINKLE: 2},
    "sad": {pa.MouthType.SAD: 1},
    "angry": {pa.MouthType.GRIMACE: 1},
    "surprised": {pa.MouthType.SCREAM_OPEN: 1},
}
_BROWS = {
    "neutral": {pa.EyebrowType.DEFAULT: 2, pa.EyebrowType.FLAT_NATURAL: 1},
    "happy": {pa.EyebrowType.DEFAULT: 1, pa.EyebrowType.DEFAULT_NATURAL: 1, pa.EyebrowType.RAISED_EXCITED: 1},
    "sad": {pa.EyebrowType.SAD_CONCERNED: 1, pa.EyebrowType.SAD_CONCERNED_NATURAL: 1},
    "angry": {pa.EyebrowType.ANGRY: 1, pa.EyebrowType.ANGRY_NATURAL: 1},
    "surprised": {pa.EyebrowType.RAISED_EXCITED: 1, pa.EyebrowType.RAISED_EXCITED_NATURAL: 1},
}
_EYES = {
    "neutral": {pa.EyeType.DEFAULT: 1},
    "happy": {pa.EyeType.DEFAULT: 3, pa.EyeType.HAPPY: 1},
    "sad": {pa.EyeType.DEFAULT: 1},
    "angry": {pa.EyeType.DEFAULT: 1, pa.EyeType.SQUINT: 1},
    "surprised": {pa.EyeType.SURPRISED: 1},
}
_CLOTHES = {
    "crew neck": (pa.ClothingType.SHIRT_CREW_NECK, 1),
    "v-neck": (pa.ClothingType.SHIRT_V_NECK, 1),
    "hoodie": (pa.ClothingType.HOODIE, 1),
    "collar": (pa.ClothingType.COLLAR_SWEATER, 1),
    "blazer": (pa.ClothingType.BLAZER_SHIRT, 1),
}
_CLOTHES_COLOUR = {
    "black": (pa.ClothingColor.BLACK, 1),
    "grey": (pa.ClothingColor.GRAY_02, 1),
    "white": (pa.ClothingColor.WHITE, 1),
    "blue": (pa.ClothingColor.BLUE_02, 1),
    "red": (pa.ClothingColor.RED, 1),
    "pink": (pa.ClothingColor.PINK, 1),
    "green": (pa.ClothingColor.PASTEL_GREEN, 1),
    "yellow": (pa.ClothingColor.PASTEL_YELLOW, 1),
}
_GROUND = {
    "blue": ("#cfe3f2", 1),
    "cream": ("#f7ebd3", 1),
    "green": ("#d5ebd8", 1),
    "lilac": ("#e3daf0", 1),
    "rose": ("#f6dcdd", 1),
}
# Labels tell what can be seen: under a hat the hair's length and style are "hidden"; a colour is that of the hair on
# the head or the chin, "none" where there is neither; a beard brings its moustache along.
ATTRIBUTES = (
    Attribute("hair length", (*_LENGTH, "hidden")),
    Attribute("hair style", ("bald", *_SHORT, *_LONG, "hidden")),
    Attribute("hair colour", ("none", *_HAIR_COLOUR)),
    Attribute("hat", tuple(_HAT)),
    Attribute("glasses", tuple(_GLASSES)),
    Attribute("beard", tuple(_BEARD)),
    Attribute("moustache", ("no", "yes")),
    Attribute("mood", tuple(_MOOD)),
    Attribute("smile", ("no", "yes")),
    Attribute("skin", tuple(_SKIN)),
    Attribute("clothes", tuple(_CLOTHES)),
    Attribute("clothes colour", tuple(_CLOTHES_COLOUR)),
    Attribute("background", tuple(_GROUND)),
)


def avatars(
    resolution: int | tuple[int, int] = 64,
    count: int | None = None,
    *,
    heldout_count: int | None = None,
    progress: bool = True,
) -> Pictures:
    """`count` drawn faces, RGB, with the labels of `ATTRIBUTES`, and `heldout_count` others held out.

    Faces to train on have the indices 0, 1, ..., the others those from `HELDOUT_START` on; an index gives the same face
    at all times. By default 20,000 (fewer above 128 pixels, to stay within a gigabyte) and a tenth of that.
    Drawn at the first call, then kept in the cache. Raises Refusal for a resolution that is not square.
    """
    height, width = sides(resolution)
    if height != width:
        raise Refusal(f"avatars are square; {height} x {width} is not. Choose one side, such as 64.")
    count = min(20_000, _BYTES // (3 * height * width)) if count is None else count
    heldout_count = count // 10 if heldout_count is None else heldout_count
    if count < 2 or heldout_count < 0:
        raise Refusal(f"count={count}, heldout_count={heldout_count}: wanted at least 2 faces, and none or more apart.")
    libraries = [importlib.metadata.version(name) for name in ("python-avatars", "resvg-py")]
    fingerprint = digest(["avatars", RECIPE, libraries, height, count, heldout_count])
    known = prepared(fingerprint, "avatars")
    if known is None:
        _prepare(fingerprint, height, count, heldout_count, progress)
        known = prepared(fingerprint, "avatars")
    if known is None:
        raise RuntimeError(f"the set {fingerprint} vanished from the cache while it was made")
    return known


def _prepare(fingerprint: str, side: int, count: int, heldout_count: int, progress: bool) -> None:
    """Draws them all in this thread: each part is drawn once and laid on, a quarter of a millisecond a face, so that
    starting other processes would take longer than it saves; in threads, resvg and Pillow hold one another up."""
    num = count + heldout_count
    indices = itertools.chain(range(count), range(HELDOUT_START, HELDOUT_START + heldout_count))
    painter = Painter(side)
    shape = DataShape(side, side, 3, ATTRIBUTES)
    with workshop(num, shape) as making, progress_bar("drawing faces", num, progress) as advance:
        for start in range(0, num, _CHUNK):
            faces = [Face.of(index) for index in itertools.islice(indices, _CHUNK)]
            for row, face in enumerate(faces, start):
                making.pixels[row] = painter.draw(face)
            making.label(np.array([face.codes() for face in faces]), start)
            advance(len(faces))
        making.finish(fingerprint, np.arange(count), np.arange(count, num))


# --------------------------------------------------------------------------------------------------------- one face


@dataclass(frozen=True)
class Face:
    """What a face is made of; `labels` holds the class of each attribute."""

    labels: Mapping[str, str]
    top: pa.HairType | pa.HatType | None
    hat_colour: pa.ClothingColor
    hair_colour: pa.HairColor
    facial_hair: pa.FacialHairType | None
    accessory: pa.AccessoryType | None
    mouth: pa.MouthType
    brows: pa.EyebrowType
    eyes: pa.EyeType

    @classmethod
    def of(cls, index: int) -> Face:
        """The face of this index."""
        draw = _Lot(index)
        labels = {"skin": draw.one(_SKIN), "hat": draw.one(_HAT), "hair length": draw.one(_LENGTH)}
        hair = {"bald": {"bald": (None, 1)}, "short": _SHORT, "long": _LONG}[labels["hair length"]]
        labels["hair style"], colour, hat_colour = draw.one(hair), draw.one(_HAIR_COLOUR), draw.one(_CLOTHES_COLOUR)
        labels["beard"], moustache = draw.one(_BEARD), draw.one(_MOUSTACHE)
        labels["glasses"], labels["mood"] = draw.one(_GLASSES), draw.one(_MOOD)
        labels["clothes"], labels["clothes colour"] = draw.one(_CLOTHES), draw.one(_CLOTHES_COLOUR)
        labels["background"] = draw.one(_GROUND)
        mood, top = labels["mood"], hair[labels["hair style"]][0]
        if labels["hat"] != "none":
            labels |= {"hair length": "hidden", "hair style": "hidden"}
            top = _HAT[labels["hat"]][0]
        if labels["hat"] == "hijab":
            labels["beard"], moustache = "none", None
        facial_hair = _BEARD[labels["beard"]][0] or moustache
        is_bare = facial_hair is None and labels["hair length"] in ("bald", "hidden")
        labels["hair colour"] = "none" if is_bare else colour
        labels["moustache"] = "yes" if facial_hair else "no"
        labels["smile"] = "yes" if mood == "happy" else "no"
        return cls(
            labels,
            top,
            _CLOTHES_COLOUR[hat_colour][0],
            _HAIR_COLOUR[colour][0],
            facial_hair,
            draw.one(_ACCESSORY[labels["glasses"]]) if labels["glasses"] != "none" else None,
            draw.one(_MOUTH[mood]),
            draw.one(_BROWS[mood]),
            draw.one(_EYES[mood]),
        )

    def codes(self) -> list[int]:
        """The label codes, in the order of `ATTRIBUTES`."""
        return [_CODES[a.name][self.labels[a.name]] for a in ATTRIBUTES]


_CODES = {a.name: {name: code for code, name in enumerate(a.classes)} for a in ATTRIBUTES}


class _Lot:
    """Draws by weight, from the index alone; only `random()` is used, whose numbers Python promises to keep."""

    def __init__(self, index: int):
        self._random = random.Random(f"zerosum avatars {RECIPE} {index}").random

    def one(self, weights: Mapping[Any, Any]) -> Any:
        """One key; a value is a weight, or ends in one."""
        bounds = list(itertools.accumulate(w[-1] if isinstance(w, tuple) else w for w in weights.values()))
        return list(weights)[bisect.bisect_right(bounds, self._random() * bounds[-1])]


class Painter:
    """Draws faces of `side` pixels. Each part in each colour is drawn once, by resvg, and laid on the ones below."""

    def __init__(self, side: int):
        self._scale = 2 if side <= 128 else 1  # resvg smooths edges, but not what is thinner than a pixel
        self._side = side * self._scale
        self._layer = functools.lru_cache(maxsize=4096)(self._draw_layer)

    def draw(self, face: Face) -> np.ndarray:
        """The face, uint8 [side, side, 3]."""
        canvas = Image.new("RGBA", (self._side, self._side), _GROUND[face.labels["background"]][0])
        for part in _parts(face):
            layer, corner = self._layer(part)
            canvas.alpha_composite(layer, corner)
        picture = canvas.convert("RGB")
        return np.asarray(picture.reduce(self._scale) if self._scale > 1 else picture)

    def _draw_layer(self, part: tuple[tuple[str, Any], ...]) -> tuple[Image.Image, tuple[int, int]]:
        """One part on nothing, RGBA, cut to what is not empty, and the place of its upper left corner."""
        svg = _svg(dict(part), self._side)
        picture = Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")
        box = picture.getbbox() or (0, 0, 1, 1)
        return picture.crop(box), box[:2]


def _parts(face: Face) -> list[tuple[tuple[str, Any], ...]]:
    """The parts from the lowest to the uppermost, each as what `pa.Avatar` is to be made of."""
    labels = face.labels
    parts: list[tuple[tuple[str, Any], ...]] = [
        (("skin_color", _SKIN[labels["skin"]][0]),),
        (
            ("clothing", _CLOTHES[labels["clothes"]][0]),
            ("clothing_color", _CLOTHES_COLOUR[labels["clothes colour"]][0]),
        ),
        (("mouth", face.mouth),),
        (("nose", pa.NoseType.DEFAULT),),
        (("eyes", face.eyes),),
        (("eyebrows", face.brows),),
    ]
    if face.facial_hair is not None:
        parts.append((("facial_hair", face.facial_hair), ("facial_hair_color", face.hair_colour)))
    if isinstance(face.top, pa.HatType):
        parts.append((("top", face.top), ("hat_color", face.hat_colour)))
    elif face.top is not None:
        parts.append((("top", face.top), ("hair_color", face.hair_colour)))
    if face.accessory is not None:
        parts.append((("accessory", face.accessory),))
    return parts


_NOTHING = dict.fromkeys(("top", "eyebrows", "eyes", "nose", "mouth", "facial_hair", "accessory", "clothing"))


def _svg(part: dict[str, Any], side: int) -> str:
    """The library's own composition of an avatar that has this part alone, cut to the frame."""
    if "facial_hair" in part or "accessory" in part:  # the library hangs both on what is on top
        part = {"top": pa.HairType.NONE, **part}
    root = ElementTree.fromstring(pa.Avatar(**{**_NOTHING, **part}).render())
    if "skin_color" not in part:
        for group in root:
            for child in [child for child in group if child.get("id", "").endswith("_Body")]:
                group.remove(child)
    left, top, length = _FRAME
    root.attrib |= {"viewBox": f"{left} {top} {length} {length}", "width": str(side), "height": str(side)}
    return ElementTree.tostring(root, encoding="unicode")
