"""One picture file's bytes as pixels: upright, in sRGB, with 8 bits, cut and reduced to shape; or why not."""

from __future__ import annotations

import contextlib
import functools
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import cast

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from zerosum.core.pictures import MODES

DECODING = 2  # raise it when the same files would give other pixels
MAX_PIXELS = 64_000_000  # a larger picture is taken for a decompression bomb
MAX_FRAMES = 256  # of one file
WHITE = (255, 255, 255)
FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")  # none runs a program
SUFFIXES = frozenset(
    {".apng", ".avif", ".bmp", ".gif", ".heic", ".heif", ".ico", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"}
    | {".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"}
)
_MOVING = ("AVIF", "GIF", "PNG", "WEBP")  # a TIFF's further pages may be thumbnails and masks
_LARGE_PIXELS = 16_000_000
_TOPS = (255, 4095, 65535)  # what is white in 8, 12 and 16 bits
_TURNS = {  # what sets a picture upright, by EXIF's orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# what people keep beside their pictures: endings, first bytes in small letters, and why it is not taken
_FOREIGN: tuple[tuple[tuple[str, ...], tuple[bytes, ...], str], ...] = (
    ((".eps", ".ps", ".ai"), (b"%!ps", b"\xc5\xd0\xd3\xc6"), "PostScript, a program; export it as PNG"),
    ((".pdf",), (b"%pdf",), "a document; export its pages as PNG"),
    ((".psd", ".psb"), (b"8bps",), "a Photoshop document; export it as PNG"),
    ((".svg", ".svgz", ".wmf", ".emf"), (b"<svg",), "a drawing made of lines; render it as PNG"),
    ((".jxl",), (b"\xff\x0a", b"\0\0\0\x0cjxl "), "JPEG XL, which is not read; convert it to PNG"),
    (
        (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),
        (b"fujifilmccd-raw",),
        "a camera's raw file; develop it to JPEG or PNG",
    ),
    ((), (b"<!doctype html", b"<html"), "a web page, not a picture"),
)
_HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1")


class Unreadable(Exception):
    """A picture that cannot be used; the message is the reason, fit for a list."""


def decode(data: bytes, height: int, width: int, channels: int, ground: tuple[int, int, int] = WHITE) -> np.ndarray:
    """uint8 [height, width, channels] from a picture file's bytes: upright, cut to shape about its middle, reduced with
    antialiasing; of a moving picture the first frame.

    With 1 or 3 channels, what is see-through lies on the colour `ground`. An embedded ICC profile is followed to sRGB;
    one that makes no sense is ignored. More than 8 bits are scaled, not clipped: by 12 bits if no value is above 4095,
    else by 16, because cameras and microscopes leave the upper bits empty; floats by 1 if none is above 1.
    Raises Unreadable with the reason.
    """
    with opened(data) as picture:
        return _pixels(picture, height, width, channels, ground)


def frames(
    data: bytes, height: int, width: int, channels: int, ground: tuple[int, int, int] = WHITE, most: int = MAX_FRAMES
) -> Iterator[np.ndarray]:
    """The frames of a moving picture, as `decode` gives the first; at most `most`. Raises Unreadable where one ends."""
    with opened(data) as picture:
        for number in range(min(most, _num_frames(picture))):
            picture.seek(number)
            yield _pixels(picture, height, width, channels, ground)


def num_frames(data: bytes) -> int:
    """How many frames a picture file claims to have. Raises Unreadable."""
    with opened(data) as picture:
        return _num_frames(picture)


def foreign(name: str) -> str | None:
    """Why a file of this name is not taken though it is a picture of some kind; None for all others."""
    ending = PurePosixPath(name).suffix.lower()
    return next((reason for endings, _, reason in _FOREIGN if ending in endings), None)


@functools.cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow knows, and HEIC where the package pillow-heif is installed."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        known.append("HEIF")
    return tuple(known)


@contextlib.contextmanager
def careful() -> Iterator[None]:
    """Around the decoding of many: Pillow's own limit, which also guards pictures within pictures, is ours, and what it
    grumbles about goes unsaid. Set outside the threads, as both belong to the process."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2  # it raises at twice its limit, and warns before
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF, odd palettes: the picture is good all the same
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


_one_large = threading.RLock()


def one_at_a_time(large: bool) -> contextlib.AbstractContextManager:
    """Holds what is large until no other thread works on something large, so that memory does not grow with cores."""
    return _one_large if large else contextlib.nullcontext()


# ----------------------------------------------------------------------------------------------------------- the file


@contextlib.contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The picture, of a size that may be decoded; whatever goes wrong in the block comes out as Unreadable."""
    if not data:
        raise Unreadable("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=formats()) as picture:
            _check(picture)
            with one_at_a_time(picture.width * picture.height > _LARGE_PIXELS):
                yield picture
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(_what_it_is(data)) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Unreadable(_too_large()) from None
    except MemoryError:
        raise Unreadable("too large for this machine's memory") from None
    except Exception as error:  # on a broken file a decoder may raise anything; one file must not cost the others
        raise Unreadable(f"damaged ({str(error).rstrip('.') or type(error).__name__})") from error


def _check(picture: Image.Image) -> None:
    tags = getattr(picture, "tag_v2", {})  # a TIFF's tiles are decoded whole, however small the picture
    for width, height in (picture.size, (tags.get(322, 0), tags.get(323, 0))):
        if width * height > MAX_PIXELS:
            raise Unreadable(_too_large(width, height))


def _too_large(width: int | None = None, height: int | None = None) -> str:
    size = f"{width} x {height} pixels are" if width else "it has"
    return f"{size} more than {MAX_PIXELS // 1_000_000} megapixels; reduce it first"


def _what_it_is(data: bytes) -> str:
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start[4:12] in _HEIC:
        return "HEIC, which needs the package pillow-heif; install that, or convert it to JPEG"
    known = (reason for _, beginnings, reason in _FOREIGN if beginnings and start.startswith(beginnings))
    return next(known, "not a picture in any known format")


def _num_frames(picture: Image.Image) -> int:
    return getattr(picture, "n_frames", 1) if picture.format in _MOVING else 1


# --------------------------------------------------------------------------------------------------------- its pixels


def _pixels(picture: Image.Image, height: int, width: int, channels: int, ground: tuple[int, int, int]) -> np.ndarray:
    """What is costly is done on the whole picture, the rest on the small one."""
    # JPEGs can be decoded at a half, a quarter, an eighth; twice the wanted size leaves the filter its work
    picture.draft(None, (2 * max(height, width), 2 * max(height, width)))
    picture.load()
    _check(picture)  # a GIF's later frames may be larger than its first, an icon's picture larger than it says
    turn, profile = orientation(picture), picture.info.get("icc_profile")
    whole = _resizable(picture)
    small = _fit(whole, width, height) if turn > 4 else _fit(whole, height, width)
    if small.mode in ("I", "F"):
        small = _in_8_bits(small, cast(float, whole.getextrema()[1]))
    small = upright(small, turn)
    return np.asarray(_in_mode(_in_srgb(small, profile), channels, ground), np.uint8).reshape(height, width, -1)


def orientation(picture: Image.Image) -> int:
    """EXIF's tag 274: 1 upright, above 4 lying on its side. Pillow sets a TIFF upright when it loads it: 1 from then
    on, while its `size` is that of the upright picture from the start."""
    try:
        return int(picture.getexif().get(274, 1))
    except Exception:  # a broken EXIF block; the picture itself is good
        return 1


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture, set upright from such an orientation."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def _resizable(picture: Image.Image) -> Image.Image:
    """The picture in a mode that can be reduced with antialiasing: no palette, no 1 bit, see-through as alpha."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I")
    if picture.mode == "F":  # what is not a number would spread
        return Image.fromarray(np.nan_to_num(np.asarray(picture)))
    if picture.format == "JPEG" and picture.mode == "CMYK" and "adobe" not in picture.info:
        return Image.eval(picture, lambda level: 255 - level)  # Pillow takes every one for Adobe's, which are inverted
    if picture.mode in ("LA", "RGBA"):
        return picture
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    wanted = {"1": "L", "P": "RGB"}.get(picture.mode)
    return picture.convert(wanted) if wanted else picture


def _fit(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Cut to shape about its middle, which is the same middle before and after the picture is turned."""
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    gap = 3.0 if scale < 128 else None  # over larger boxes, the filter that goes before loses light to rounding
    return picture.resize((width, height), Image.Resampling.LANCZOS, box=box, reducing_gap=gap)


def _in_8_bits(small: Image.Image, most: float) -> Image.Image:
    """Grey in 8 bits from integers or floats, of which the whole picture's largest is `most`."""
    tops = (1, *_TOPS) if small.mode == "F" else _TOPS
    top = next((top for top in tops if most <= top), None)
    if top is None:
        raise Unreadable(f"its values go up to {most:g}; wanted 8, 12 or 16 bits, or floats up to 1")
    levels = np.asarray(small, np.float32).clip(0, top)
    return Image.fromarray((levels * (255 / top)).round().astype(np.uint8))


def _in_srgb(small: Image.Image, profile: bytes | None) -> Image.Image:
    colours = small.mode.removesuffix("A")
    transform = _to_srgb(profile, colours) if profile or colours == "LAB" else None
    if transform is None:
        return small
    with contextlib.suppress(Exception):  # what a profile of somebody's own making may lead to
        plain = transform.apply(small.convert(colours))
        if colours != small.mode:
            plain.putalpha(small.getchannel("A"))
        return plain
    return small


@functools.lru_cache(32)
def _to_srgb(profile: bytes | None, colours: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile (None: that of LAB) to sRGB; None where it is sRGB, or makes no sense."""
    try:
        srgb = ImageCms.createProfile("sRGB")
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        if profile and "srgb" in ImageCms.getProfileDescription(source).lower():
            return None
        return ImageCms.buildTransform(source, srgb, colours, "RGB")
    except Exception:  # a broken profile, or one for other colours
        return None


def _in_mode(picture: Image.Image, channels: int, ground: tuple[int, int, int]) -> Image.Image:
    """The picture with so many channels; without an alpha channel, what is see-through lies on `ground`."""
    if channels in (1, 3) and picture.mode in ("LA", "RGBA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (*ground, 255)), picture)
    return picture.convert(MODES[channels])
