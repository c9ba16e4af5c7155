"""The zoo: trained generators that come with the package, by names such as zoo:avatars-64."""

from __future__ import annotations

from pathlib import Path

from zerosum.core.errors import Refusal, nearest

FOLDER = Path(__file__).parent.parent / "zoo"
PREFIX = "zoo:"


def names() -> list[str]:
    """What the zoo holds: ["zoo:avatars-64", ...]."""
    return sorted(PREFIX + path.stem for path in FOLDER.glob("*.safetensors"))


def is_of_the_zoo(path: str | Path) -> bool:
    """Whether this names a generator of the zoo rather than a file."""
    return str(path).startswith(PREFIX)


def place(path: str | Path) -> Path:
    """The file behind a name of the zoo; any other path as it is. Raises Refusal for a name that the zoo lacks."""
    if not is_of_the_zoo(path):
        return Path(path)
    if not names():
        raise Refusal(f"{path}: no trained generators come with this version. Train one: zerosum train avatars")
    if str(path) not in names():
        raise Refusal(f"'{path}' is not in the zoo{nearest(str(path), names())}")
    return FOLDER / f"{str(path).removeprefix(PREFIX)}.safetensors"
