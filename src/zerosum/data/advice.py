"""What to do with a set of pictures before training, as a colleague would say it who has looked at all of them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zerosum.data.inspect import Inspection
from zerosum.data.pictures import HELDOUT_FROM

RESOLUTIONS = (256, 128, 96, 64, 32)
FIRST = 64  # what is tried first: minutes are enough to see whether it works
LARGE_ENOUGH = 0.9  # of the pictures need not be enlarged
LOST = 0.15  # of the area that a better shape must save
_ASPECTS = (1.0, 1.25, 1.5, 1.75, 2.0)


@dataclass(frozen=True)
class Advice:
    """One piece: what was seen and what follows from it, and the command to paste, where there is one."""

    topic: str
    text: str
    command: str | None = None


def advise(seen: Inspection) -> list[Advice]:
    """The pieces that apply, the most important first."""
    height, width = shape(seen.facts.sizes)
    pieces = [_number(seen), _resolution(seen, height, width), _crop(seen, height, width), _alike(seen, height, width),
              _transparency(seen), _colour(seen), _balance(seen), _refused(seen)]  # fmt: skip
    return [piece for piece in pieces if piece is not None]


def shape(sizes: np.ndarray) -> tuple[int, int]:
    """The largest height and width at which nine of ten pictures, int64 [n, 2] width and height, need no enlarging: a
    square, or a rectangle where that saves much of the pictures' area."""
    square, other = _largest(sizes, 1.0), rectangle(sizes)
    return other if kept(sizes, *other) - kept(sizes, *square) >= LOST else square


def rectangle(sizes: np.ndarray) -> tuple[int, int]:
    """The same for the one shape, square or not, that keeps most of the pictures' area."""
    return _largest(sizes, max(_aspects(), key=lambda aspect: kept(sizes, 1, aspect)))


def _largest(sizes: np.ndarray, aspect: float) -> tuple[int, int]:
    fits = sorted(_shapes(aspect), key=lambda fit: -fit[0])
    return next((fit for fit in fits if large_enough(sizes, *fit) >= LARGE_ENOUGH), fits[-1])


def kept(sizes: np.ndarray, height: float, width: float) -> float:
    """The share of the pictures' area that a crop to this shape about the middle keeps, on average."""
    aspect = sizes[:, 0] / sizes[:, 1] * (height / width)
    return float(np.minimum(aspect, 1 / aspect).mean())


def large_enough(sizes: np.ndarray, height: int, width: int) -> float:
    """The share of the pictures that need not be enlarged to this shape."""
    return float(((sizes[:, 0] >= width) & (sizes[:, 1] >= height)).mean())


def _aspects() -> list[float]:
    return [*_ASPECTS, *(1 / aspect for aspect in _ASPECTS[1:])]


def _shapes(aspect: float) -> list[tuple[int, int]]:
    """Height and width at each resolution, that of the shorter side, in multiples of 8."""
    long = [round(side * max(aspect, 1 / aspect) / 8) * 8 for side in RESOLUTIONS]
    return [(side, other) if aspect >= 1 else (other, side) for side, other in zip(RESOLUTIONS, long, strict=True)]


# ----------------------------------------------------------------------------------------------------------- the pieces


def _number(seen: Inspection) -> Advice:
    num = len(seen) - seen.num_copies - seen.num_alike
    what = f"{num:,} different pictures"
    if num < HELDOUT_FROM:
        text = (
            f"{what}: too few to learn from. Expect copies of them, and no honest score, because none can be held out. "
            "Collect some hundreds."
        )
    elif num < 1000:
        text = f"{what}: a small set. Expect likenesses of what is there, little that is new. More would help most."
    elif num < 5000:
        text = f"{what}: enough for a kind of thing shown much alike, such as faces or fruit; few for many kinds."
    else:
        text = f"{what}: a good number. How long you train will matter more than how many there are."
    return Advice("number", text)


def _resolution(seen: Inspection, height: int, width: int) -> Advice | None:
    if seen.is_named:
        return Advice(
            "resolution",
            "A named set is prepared at any resolution; 64 is where to begin.",
            f"zerosum train {seen.source} --minutes 10",
        )
    small = 1 - large_enough(seen.facts.sizes, height, width)
    text = f"{_by(height, width)} is the most that nearly all of them fill"
    if small > 1 - LARGE_ENOUGH:
        text = f"{_percent(small)} of them are smaller than {_by(height, width)}, and would be enlarged and look soft"
    elif small > 0:
        text += f" ({_percent(small)} would be enlarged a little)"
    factor = height * width / FIRST**2
    if factor > 2:
        first = _scaled(height, width)
        text += f". Begin with {_by(*first)}: a step costs a {_nth(height * width / (first[0] * first[1]))} of that"
        height, width = first
    return Advice("resolution", f"{text}.", f"zerosum train {_source(seen)} {_option(height, width)} --minutes 10")


def _crop(seen: Inspection, height: int, width: int) -> Advice | None:
    if seen.is_named:
        return None
    sizes = seen.facts.sizes
    lost, square = 1 - kept(sizes, height, width), 1 - kept(sizes, 1, 1)
    if height != width:
        text = (
            f"A square crop about the middle would cut off {_percent(square)} of their area; {_by(height, width)} cuts "
        )
        return Advice("crop", f"{text}{_percent(lost)}.")
    if square < 0.02:
        return None
    text = f"The square crop about the middle cuts off {_percent(square)} of their area"
    if square < LOST:
        return Advice("crop", f"{text}: nothing to worry about where the subject stands in the middle.")
    other = rectangle(sizes)
    saved = kept(sizes, *other) - kept(sizes, 1, 1)
    if saved < 0.03:
        return Advice("crop", f"{text}, and no other shape does better: some stand, some lie. Sort them by shape.")
    return Advice(
        "crop",
        f"{text}; {_by(*other)} would cut off {_percent(1 - kept(sizes, *other))}. If what matters stands in the "
        "middle, stay with the square.",
        f"zerosum train {_source(seen)} {_option(*other)} --minutes 10",
    )


def _alike(seen: Inspection, height: int, width: int) -> Advice | None:
    copies, alike = seen.num_copies, seen.num_alike
    if not copies and alike < 0.01 * len(seen):
        return None
    parts = [
        f"{copies:,} {'are copies' if copies > 1 else 'is a copy'} of others" if copies else "",
        f"{alike:,} look{'' if alike > 1 else 's'} nearly the same as another" if alike else "",
    ]
    text = f"{' and '.join(part for part in parts if part)}: they count more than once in training."
    if seen.is_named:
        return Advice("duplicates", text)
    if not copies:
        return Advice("duplicates", f"{text} Look through them.")
    out = shlex.quote(f"{Path(seen.source).resolve().stem}-clean")
    return Advice(
        "duplicates",
        f"{text} This writes a folder without the copies{'; the rest is for your eye' if alike else ''}.",
        f"zerosum data export {_source(seen)} {out} {_option(height, width)} --unique",
    )


def _transparency(seen: Inspection) -> Advice | None:
    share = seen.facts.clear.mean()
    if not share:
        return None
    out = f"{_percent(float(share))} are see-through somewhere. As it is they lie on white"
    if share < 0.5 or seen.is_named:
        return Advice("transparency", f"{out}.")
    return Advice(
        "transparency",
        f"{out}; four channels keep what is see-through.",
        f"zerosum train {_source(seen)} --channels 4",
    )


def _colour(seen: Inspection) -> Advice | None:
    if not seen.facts.grey.all() or seen.is_named:
        return None
    return Advice("colour", "None of them has colour; one channel is enough.",
                  f"zerosum train {_source(seen)} --channels 1")  # fmt: skip


def _balance(seen: Inspection) -> Advice | None:
    rare = [
        f"{attribute} '{name}' ({num:,})"
        for attribute, classes in seen.balance().items()
        for name, num in classes.items()
        if num < max(20, 0.1 * len(seen) / len(classes))
    ]
    if not rare:
        return None
    shown = ", ".join(rare[:3]) + (f" and {len(rare) - 3} more" if len(rare) > 3 else "")
    return Advice(
        "labels", f"Rare among the labels: {shown}. Expect these to come out poorly, or collect more of them."
    )


def _refused(seen: Inspection) -> Advice | None:
    if not seen.facts.refused:
        return None
    num = len(seen.facts.refused)
    share = num / (num + len(seen))
    text = f"{num:,} file{'s' if num > 1 else ''} will be passed over; training goes on without."
    return Advice("refused", text if share < 0.2 else f"{text} That is {_percent(share)}: look at the reasons first.")


def latent(properties: float, length: int, is_open: bool) -> Advice:
    """How long a latent is ample, by the number of independent properties (`metrics.dimension`)."""
    if is_open:
        text = f"They differ in {properties:.0f} independent ways or more, too many to be told"
    else:
        text = f"They differ in about {properties:.0f} independent properties; parts chosen from a list count for less"
    return Advice("latent", f"{text}: a latent of {length} is ample (--z {length}).")


# ------------------------------------------------------------------------------------------------------------ in words


def _scaled(height: int, width: int) -> tuple[int, int]:
    side = min(height, width)
    return round(height * FIRST / side / 8) * 8, round(width * FIRST / side / 8) * 8


def _nth(factor: float) -> str:
    names = {2: "half", 3: "third", 4: "quarter", 16: "sixteenth"}
    return names.get(round(factor), f"1/{round(factor)}")


def _by(height: int, width: int) -> str:
    return f"{width} x {height}"


def _option(height: int, width: int) -> str:
    return f"--resolution {height}" if height == width else f"--resolution {height} {width}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 or share == 0 else "under 1%"


def _source(seen: Inspection) -> str:
    return shlex.quote(seen.source)
