"""Messy folders: nothing in them may stop a run, spoil a picture or take the machine down."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile

from zerosum import cli
from zerosum.core.errors import Refusal
from zerosum.data import decode as module
from zerosum.data import tree as tree_module
from zerosum.data.decode import Unreadable, decode, foreign, frames, num_frames
from zerosum.data.folder import folder
from zerosum.data.pairs import paired_folder
from zerosum.data.pictures import Pictures
from zerosum.data.prepare import export, halve, pair, split
from zerosum.data.shelf import Shelf, gather
from zerosum.data.tree import Lost, Tree, printable


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))


def encoded(picture: Image.Image, kind: str = "PNG", **settings) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **settings)
    return data.getvalue()


def painted(height: int = 4, width: int = 6) -> np.ndarray:
    """RGB in which no two pixels are alike."""
    return np.random.default_rng(0).permutation(256)[: height * width * 3].reshape(height, width, 3).astype(np.uint8)


def plain(
    colour: tuple[int, ...] | int = (255, 0, 0), mode: str = "RGB", size: tuple[int, int] = (8, 8)
) -> Image.Image:
    return Image.new(mode, size, colour)


def good(where: Path, num: int = 2) -> Path:
    """A folder of so many good pictures."""
    where.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        plain((i, 0, 0)).save(where / f"good{i}.png")
    return where


def taken(where: Path, **settings) -> Pictures:
    return folder(where, 8, progress=False, **settings)


def reason(data: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        decode(data, 8, 8, 3)
    return str(caught.value)


# -------------------------------------------------------------------------------------------------------- orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_every_orientation_is_set_upright_pixel_for_pixel(kind: str, orientation: int) -> None:
    upright = painted()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),  # to be turned clockwise
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), kind, exif=exif, lossless=True)
    assert decode(data, 4, 6, 3).tolist() == upright.tolist()


def test_the_middle_is_the_same_before_and_after_turning() -> None:
    exif = Image.Exif()
    exif[274] = 6
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = painted(8, 8)
    data = encoded(Image.fromarray(wide), exif=exif)
    assert decode(data, 8, 8, 3).tolist() == np.rot90(wide[:, 8:16], -1).tolist()


def test_a_broken_exif_block_costs_nothing() -> None:
    data = encoded(plain(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode(data, 8, 8, 3)[0, 0].tolist() == [255, 0, 0]


# --------------------------------------------------------------------------------------------------- modes and depths


@pytest.mark.parametrize(
    ("levels", "dtype", "wanted"),
    [
        ((0, 32768, 65535), np.uint16, (0, 128, 255)),
        ((0, 2048, 4095), np.uint16, (0, 128, 255)),  # 12 bits in 16
        ((0, 128, 255), np.uint16, (0, 128, 255)),
        ((0, 32768, 65535), np.int32, (0, 128, 255)),
        ((-5, 128, 255), np.int32, (0, 128, 255)),
        ((0.0, 0.5, 1.0), np.float32, (0, 128, 255)),
        ((0.0, 128.0, 255.0), np.float32, (0, 128, 255)),
        ((np.nan, 0.5, 1.0), np.float32, (0, 128, 255)),
    ],
)
def test_deep_grey_is_scaled_and_not_clipped(levels: tuple, dtype: type, wanted: tuple[int, ...]) -> None:
    grey = np.repeat(np.array(levels, dtype)[None], 3, axis=0)
    pixels = decode(encoded(Image.fromarray(grey), "TIFF"), 3, 3, 3)
    assert pixels[1].tolist() == [[level] * 3 for level in wanted]


def test_values_without_a_known_top_are_refused() -> None:
    assert "wanted 8, 12 or 16 bits" in reason(encoded(Image.fromarray(np.full((8, 8), 1e9, np.float32)), "TIFF"))


def png16(colour_type: int, samples: tuple[int, ...]) -> bytes:
    """A PNG of 4 x 4 equal pixels with 16 bits a sample, which Pillow itself cannot write."""
    lines = (b"\0" + struct.pack(f">{len(samples)}H", *samples) * 4) * 4
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)
    return png(header, zlib.compress(lines))


def png(header: bytes, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("colour_type", "samples", "wanted"),
    [
        (0, (0x8000,), [128, 128, 128, 255]),
        (2, (0xFFFF, 0x8080, 0), [255, 128, 0, 255]),
        (4, (0xFFFF, 0x8080), [255, 255, 255, 128]),
        (6, (0xFFFF, 0x8080, 0, 0xFFFF), [255, 128, 0, 255]),
    ],
)
def test_16_bits_a_sample(colour_type: int, samples: tuple[int, ...], wanted: list[int]) -> None:
    assert decode(png16(colour_type, samples), 4, 4, 4)[0, 0].tolist() == pytest.approx(wanted, abs=1)


def test_cmyk_with_and_without_adobes_mark() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    adobe = encoded(cyan, "JPEG", quality=95)  # Pillow writes as Adobe does: inverted, with the mark
    assert b"Adobe" in adobe
    assert decode(adobe, 8, 8, 3)[4, 4].tolist() == pytest.approx([0, 255, 255], abs=3)
    other = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 255)), "JPEG", quality=95)  # so stored as 255, 0, 0, 0
    start = other.index(b"\xff\xee")
    (length,) = struct.unpack(">H", other[start + 2 : start + 4])
    unmarked = other[:start] + other[start + 2 + length :]
    assert decode(unmarked, 8, 8, 3)[4, 4].tolist() == pytest.approx([0, 255, 255], abs=3)
    assert decode(encoded(cyan, "TIFF"), 8, 8, 3)[4, 4].tolist() == [0, 255, 255]


def test_palette_1_bit_and_grey() -> None:
    assert decode(encoded(plain().convert("P")), 8, 8, 3)[0, 0].tolist() == [255, 0, 0]
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32))).convert("1")
    assert decode(encoded(stripes), 8, 8, 1).mean() == pytest.approx(127.5, abs=3)  # reduced, and not sampled
    assert decode(encoded(plain(77, "L")), 8, 8, 3)[0, 0].tolist() == [77, 77, 77]
    assert decode(encoded(plain((9, 0, 0))), 8, 8, 1).shape == (8, 8, 1)


def see_through() -> dict[str, bytes]:
    """Pictures of which the left half is see-through and the right half is red, or grey."""
    alpha = np.repeat(np.array([0, 255], np.uint8), 4)[None].repeat(8, 0)
    red = np.dstack([np.full((8, 8), 255, np.uint8), alpha * 0, alpha * 0, alpha])
    index = Image.fromarray(alpha // 255, "P")
    index.putpalette([0, 255, 0, 255, 0, 0])
    key = Image.fromarray(np.where(alpha[..., None], [255, 0, 0], [1, 2, 3]).astype(np.uint8))
    return {
        "RGBA": encoded(Image.fromarray(red)),
        "WebP": encoded(Image.fromarray(red), "WEBP", lossless=True),
        "palette": encoded(index, transparency=0),
        "GIF": encoded(index, "GIF", transparency=0),
        "RGB with a colour that is see-through": encoded(key, transparency=(1, 2, 3)),
    }


@pytest.mark.parametrize("kind", see_through())
def test_what_is_see_through_is_kept_or_lies_on_the_ground(kind: str) -> None:
    data = see_through()[kind]
    kept = decode(data, 8, 8, 4)
    assert kept[:, :, 3].tolist() == [[0] * 4 + [255] * 4] * 8
    assert kept[0, 7].tolist() == [255, 0, 0, 255]
    assert decode(data, 8, 8, 3)[0, [0, 7]].tolist() == [[255, 255, 255], [255, 0, 0]]
    assert decode(data, 8, 8, 3, (10, 20, 30))[0, [0, 7]].tolist() == [[10, 20, 30], [255, 0, 0]]


def test_grey_and_alpha() -> None:
    data = encoded(plain((200, 0), "LA"))
    assert decode(data, 8, 8, 1)[0, 0].tolist() == [255]
    assert decode(data, 8, 8, 2)[0, 0, 1] == 0
    half = encoded(plain((0, 128), "LA"))
    assert decode(half, 8, 8, 3, (200, 100, 0))[0, 0].tolist() == pytest.approx([100, 50, 0], abs=1)


def test_no_fringe_from_colours_that_cannot_be_seen() -> None:
    sprite = np.zeros((64, 64, 4), np.uint8)
    sprite[:, :, 1] = 255  # green all over, and nowhere to be seen
    sprite[:, 20:44] = (255, 0, 0, 255)
    assert decode(encoded(Image.fromarray(sprite)), 8, 8, 3)[:, :, 1:].min(axis=2).max() == 255
    assert (decode(encoded(Image.fromarray(sprite)), 8, 8, 3, (255, 0, 0))[:, :, 1] == 0).all()


def test_ground_is_a_colour_and_counts(tmp_path: Path) -> None:
    plain((0, 0, 0, 0), "RGBA").save(good(tmp_path / "d", 1) / "clear.png")
    white, blue = taken(tmp_path / "d"), taken(tmp_path / "d", ground="#0000ff")
    assert white.fingerprint != blue.fingerprint
    assert blue.pixels(np.array([0]))[0, 0, 0].tolist() == [0, 0, 255]
    assert taken(tmp_path / "d", ground="blue").fingerprint == blue.fingerprint
    kept = {taken(tmp_path / "d", channels=4, ground=colour).fingerprint for colour in ("white", "blue")}
    assert len(kept) == 1, "with an alpha channel nothing lies on anything"
    with pytest.raises(Refusal, match="no colour"):
        taken(tmp_path / "d", ground="bleu")
    with pytest.raises(Refusal, match="channels=5"):
        taken(tmp_path / "d", channels=5)
    with pytest.raises(Refusal, match="'first' or 'all'"):
        taken(tmp_path / "d", frames="some")


def swapped() -> bytes:
    """An ICC profile in which red and green have changed places: sRGB's own, with the names of its two tags swapped."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag in (b"TRC", b"XYZ"):
        red, green = profile.index(b"r" + tag), profile.index(b"g" + tag)
        profile[red], profile[green] = profile[green], profile[red]
    return bytes(profile).replace(b"s\0R\0G\0B", b"t\0e\0s\0t").replace(b"sRGB", b"test")


def test_a_profile_is_followed_and_a_bad_one_ignored() -> None:
    profile = swapped()
    assert decode(encoded(plain(), icc_profile=profile), 8, 8, 3)[0, 0].tolist() == pytest.approx([0, 255, 0], abs=2)
    kept = decode(encoded(plain((255, 0, 0, 99), "RGBA"), icc_profile=profile), 8, 8, 4)[0, 0].tolist()
    assert kept == pytest.approx([0, 255, 0, 99], abs=2)
    for bad in (b"nonsense", profile[:200], profile[:-40]):
        assert decode(encoded(plain(), icc_profile=bad), 8, 8, 3).shape == (8, 8, 3)
    assert decode(encoded(plain(), icc_profile=b"nonsense"), 8, 8, 3)[0, 0].tolist() == [255, 0, 0]
    assert decode(encoded(plain(77, "L"), icc_profile=profile), 8, 8, 3)[0, 0].tolist() == [77] * 3  # of other colours
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(encoded(plain((1, 99, 200)), icc_profile=srgb), 8, 8, 3)[0, 0].tolist() == [1, 99, 200]


def test_lab() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    data = encoded(to_lab.apply(plain((200, 30, 60))), "TIFF")
    assert decode(data, 8, 8, 3)[0, 0].tolist() == pytest.approx([200, 30, 60], abs=4)


@pytest.mark.parametrize("settings", [{"progressive": True}, {"subsampling": 0}, {"optimize": True}])
def test_progressive_jpeg(settings: dict) -> None:
    assert decode(encoded(plain(size=(99, 77)), "JPEG", **settings), 8, 8, 3)[4, 4, 0] > 250


def test_interlaced_png() -> None:
    """Adam7 by hand: of 8 x 8 pixels, seven passes, all red."""
    sides = [(1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)]
    lines = b"".join((b"\0" + b"\xff\0\0" * width) * height for width, height in sides)
    data = png(struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 1), zlib.compress(lines))
    assert (decode(data, 8, 8, 3) == [255, 0, 0]).all()


def photograph(side: int = 350) -> Image.Image:
    """Light as photographs have it: all scales alike, the colours nearly of one mind."""
    random = np.random.default_rng(1)
    scale = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]).clip(1 / side)

    def field() -> np.ndarray:
        waves = np.exp(2j * np.pi * random.random(scale.shape)) / scale
        whole = np.fft.irfft2(waves, (side, side))
        return (whole - whole.mean()) / whole.std()

    light = field() * 40 + 128
    return Image.fromarray(np.stack([light + 8 * field() for _ in range(3)], -1).clip(0, 255).astype(np.uint8))


def test_decoding_at_a_half_is_as_good_as_decoding_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(photograph(), "JPEG", quality=85)
    drafts, draft = [], JpegImageFile.draft
    monkeypatch.setattr(JpegImageFile, "draft", lambda self, *how: drafts.append(draft(self, *how)))
    ours = decode(data, 64, 64, 3).astype(int)
    assert drafts != [None]
    whole = Image.open(io.BytesIO(data)).resize((64, 64), Image.Resampling.LANCZOS)
    off = abs(ours - np.asarray(whole).astype(int))
    assert off.mean() < 0.8
    assert (off <= 2).mean() > 0.98
    assert off.max() <= 4


# -------------------------------------------------------------------------------------------------------------- bombs


def tiff(width: int, height: int, tile: tuple[int, int] | None = None) -> bytes:
    """A TIFF whose header claims so many pixels of RGB, compressed; it holds next to none."""
    body = zlib.compress(b"\0" * 64)
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 2), (277, 3, 3)]
    places = [(322, 4, tile[0]), (323, 4, tile[1]), (324, 4, 8), (325, 4, len(body))] if tile else []
    tags += places or [(273, 4, 8), (278, 4, height), (279, 4, len(body))]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(tags))
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"


def gif(screen: tuple[int, int], frame: tuple[int, int]) -> bytes:
    whole = bytearray(encoded(plain(1, "P"), "GIF"))
    whole[6:10] = struct.pack("<HH", *screen)
    start = whole.index(b"\x2c", 13 + 3 * (2 << (whole[10] & 7)))
    whole[start + 5 : start + 9] = struct.pack("<HH", *frame)
    return bytes(whole)


def webp(width: int, height: int) -> bytes:
    whole = encoded(plain(size=(64, 64)), "WEBP", save_all=True, append_images=[plain((0, 0, 255), size=(64, 64))])
    return whole[:24] + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + whole[30:]


def icon(side: int) -> bytes:
    """An icon that says it has 16 x 16 pixels; the PNG in it says otherwise."""
    inner = png(struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0), zlib.compress(b"\0" * 99))
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


BOMBS = {
    "PNG": lambda: png(struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0), zlib.compress(b"\0" * 10_000_000)),
    "just too large": lambda: png(struct.pack(">IIBBBBB", 8001, 8000, 8, 6, 0, 0, 0), b""),
    "GIF's screen": lambda: gif((60_000, 60_000), (8, 8)),
    "GIF's frame": lambda: gif((8, 8), (60_000, 60_000)),
    "TIFF": lambda: tiff(60_000, 60_000),
    "TIFF's tile": lambda: tiff(64, 64, tile=(16_384, 16_384)),
    "WebP": lambda: webp(16_000, 16_000),
    "icon": lambda: icon(9_000),
    "BMP": lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0),
    "PPM": lambda: b"P6 50000 50000 255\n" + b"\0" * 99,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused(kind: str) -> None:
    with module.careful():
        assert "megapixels" in reason(BOMBS[kind]())


def test_the_limit_itself_is_not_too_large() -> None:
    assert decode(encoded(plain(1, "1", (8000, 8000))), 8, 8, 1).tolist() == [[[255]] * 8] * 8


PEAK = """
import sys
from pathlib import Path
from zerosum.data.decode import Unreadable, careful, decode
from PIL import Image
Image.init()
def peak():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
before = peak()
with careful():
    for folder in sys.argv[1:]:
        for path in Path(folder).iterdir():
            try:
                decode(path.read_bytes(), 64, 64, 3)
            except Unreadable:
                pass
        print(peak() - before)
"""


def peak_megabytes(*folders: Path) -> list[int]:
    """How far the memory of a fresh process has risen once it has decoded the files of each folder."""
    command = [sys.executable, "-c", PEAK, *map(str, folders)]
    return [int(line) for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_stays_bounded(tmp_path: Path) -> None:
    for name in ("bombs", "large"):
        (tmp_path / name).mkdir()
    for number, bomb in enumerate(BOMBS.values()):
        (tmp_path / "bombs" / str(number)).write_bytes(bomb())
    plain((1, 2, 3, 4), "RGBA", (4000, 4000)).save(tmp_path / "large" / "a.png", compress_level=1)
    bombs, large = peak_megabytes(tmp_path / "bombs", tmp_path / "large")
    assert bombs < 32
    assert large < 160, "twice the picture, and a little"


def test_careful_gives_pillow_its_limit_back() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with contextlib.suppress(KeyError), module.careful():
        assert before != Image.MAX_IMAGE_PIXELS
        raise KeyError
    assert before == Image.MAX_IMAGE_PIXELS


# ---------------------------------------------------------------------------------------- what is no picture, or moves


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE html><html>", "web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"8BPS\0\1" + b"\0" * 40, "Photoshop"),
        (b"%PDF-1.7", "document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow-heif"),
        (b"\xff\x0a\0\0", "JPEG XL"),
        (b"\0\1" * 99, "not a picture"),
    ],
)
def test_what_it_is_instead(data: bytes, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "formats", lambda: [name for name in module.FORMATS if name in Image.OPEN])
    assert wanted in reason(data)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.EPS", "PostScript"),
        ("a.psd", "Photoshop"),
        ("a.CR2", "raw"),
        ("a.svg", "lines"),
        ("a.jpg", None),
        ("a", None),
    ],
)
def test_kinds_that_are_not_taken_by_name(name: str, wanted: str | None) -> None:
    found = foreign(name)
    assert (found is None) if wanted is None else (found is not None and wanted in found)


def test_they_are_listed_and_a_folder_of_nothing_else_says_so(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    for name in ("drawing.eps", "layers.psd"):
        (tmp_path / "d" / name).write_bytes(b"x")
    with pytest.raises(Refusal, match=r"no pictures among its files.*drawing\.eps: PostScript"):
        taken(tmp_path / "d")
    assert [name for name, _ in taken(good(tmp_path / "d")).refused] == ["drawing.eps", "layers.psd"]


def test_pictures_without_an_ending_are_taken_and_other_kinds_counted(tmp_path: Path) -> None:
    where = good(tmp_path / "d", 3)
    for name, kind in (("photo", "JPEG"), ("drawing", "PNG")):
        Image.new("RGB", (8, 8), "blue").save(where / name, kind)
    for name in ("film.mp4", "notes.txt", "README", "labels.csv.bak", "lines.svg"):
        (where / name).write_bytes(b"x")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in where.iterdir():
            archive.write(file, file.name)
    for source in (where, tmp_path / "d.zip"):
        pictures = taken(source)
        assert len(pictures) == 5
        assert [name for name, _ in pictures.refused] == ["lines.svg"]
        shelf = Shelf(source)
        assert {"photo", "drawing"} < {*shelf.names}
        assert shelf.left_alone == "4 files of other kinds left alone (no ending, .mp4, .bak, .txt)"


def moving(kind: str = "GIF", num: int = 3, size: tuple[int, int] = (8, 8), **settings) -> bytes:
    shots = [plain((0, 0, 80 * i), size=size) for i in range(num)]
    return encoded(shots[0], kind, save_all=True, append_images=shots[1:], **settings)


@pytest.mark.parametrize(("kind", "settings"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {})])
def test_first_frame_or_all(kind: str, settings: dict, tmp_path: Path) -> None:
    data = moving(kind, **settings)
    assert num_frames(data) == 3
    assert decode(data, 8, 8, 3)[0, 0].tolist() == [0, 0, 0]
    assert [frame[0, 0].tolist() for frame in frames(data, 8, 8, 3)] == [[0, 0, 0], [0, 0, 80], [0, 0, 160]]
    (good(tmp_path / "d") / f"a.{kind.lower()}").write_bytes(data)
    first, every = taken(tmp_path / "d"), taken(tmp_path / "d", frames="all")
    assert (len(first), len(every)) == (3, 5)
    assert first.fingerprint != every.fingerprint
    assert every.pixels(np.arange(5))[:, 0, 0].tolist()[:3] == [[0, 0, 0], [0, 0, 80], [0, 0, 160]]
    assert taken(tmp_path / "d", frames="all").fingerprint == every.fingerprint


def test_one_moving_picture_may_be_enough(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.gif").write_bytes(moving())
    assert len(taken(tmp_path / "d", frames="all")) == 3
    with pytest.raises(Refusal, match="1 picture among"):
        taken(tmp_path / "d")


def test_a_file_gives_no_more_frames_than_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zerosum.data.folder.MAX_FRAMES", 2)
    (good(tmp_path / "d") / "long.gif").write_bytes(moving(num=4))
    pictures = taken(tmp_path / "d", frames="all")
    assert len(pictures) == 4
    assert pictures.refused == [("long.gif", "2 of its frames; of one file, 2 are taken")]


def test_frames_up_to_the_damage_are_taken(tmp_path: Path) -> None:
    data = encoded(
        photograph(64), "GIF", save_all=True, append_images=[photograph(64).rotate(90), plain(size=(64, 64))]
    )
    (good(tmp_path / "d") / "cut.gif").write_bytes(data[: data.rindex(b"\x21\xf9") - 99])
    pictures = taken(tmp_path / "d", frames="all")
    assert len(pictures) == 3
    assert [(name, why[:20]) for name, why in pictures.refused] == [("cut.gif", "from frame 2 on: dam")]


def test_frames_share_their_files_label_and_side(tmp_path: Path) -> None:
    for kind in ("left", "right"):
        for i in range(60):
            where = good(tmp_path / "d" / kind, 1) / f"{i}.gif"
            where.write_bytes(encoded(plain((i, 0, 0)), "GIF", save_all=True, append_images=[plain((i, 0, 200))]))
    pictures = taken(tmp_path / "d", frames="all")
    heldout = pictures.heldout()
    assert heldout is not None
    assert len(pictures) + len(heldout) == 2 * (2 * 60 + 1)
    reds = [set(part.pixels(np.arange(len(part)))[:, 0, 0, 0].tolist()) for part in (pictures, heldout)]
    assert not reds[0] & reds[1]
    labels = pictures.labels(np.arange(len(pictures)))
    assert labels is not None
    assert 0.3 < labels.mean() < 0.7


# ----------------------------------------------------------------------------------------------------- odd things in it


def test_pipes_sockets_devices_and_loops_do_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = good(tmp_path / "d")
    os.mkfifo(where / "pipe.png")
    (where / "zero.png").symlink_to("/dev/zero")
    (where / "gone.jpg").symlink_to("nowhere")
    (where / "round.jpg").symlink_to("round.jpg")
    (where / "again").symlink_to(".")
    (where / "other").symlink_to(where / "again")
    os.mkfifo(where / "notes.txt")  # is no picture by name, and is not mentioned
    monkeypatch.chdir(where)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.png")
        pictures = taken(where)
    assert len(pictures) == 2
    reasons = dict(pictures.refused)
    assert set(reasons) == {"pipe.png", "zero.png", "socket.png", "gone.jpg", "round.jpg", "again", "other"}
    assert all("not a file" in reasons[name] for name in ("pipe.png", "zero.png", "socket.png"))
    assert "link to a folder" in reasons["again"]
    with pytest.raises(Refusal, match="pipe, socket or device"):
        folder(where / "pipe.png")


def test_what_turns_into_a_pipe_or_vanishes_after_listing_is_unreadable(tmp_path: Path) -> None:
    tree = Tree(good(tmp_path / "d"))
    (tmp_path / "d" / "good0.png").unlink()
    os.mkfifo(tmp_path / "d" / "good0.png")
    (tmp_path / "d" / "good1.png").unlink()
    with pytest.raises(Unreadable, match="not a file any more"):
        tree.read("good0.png")
    with pytest.raises(Lost, match="No such file"):
        tree.read("good1.png")


def test_a_file_that_vanishes_during_the_run_is_passed_over_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, read = good(tmp_path / "d", 3), Tree.read
    content, before = (where / "good1.png").read_bytes(), (where / "good1.png").stat()

    def vanishing(self: Tree, name: str) -> bytes:
        if name == "good1.png":
            raise Lost("cannot be read (Input/output error)")
        return read(self, name)

    monkeypatch.setattr(Tree, "read", vanishing)
    for _ in range(2):
        pictures = taken(where)
        assert len(pictures) == 2
        assert pictures.refused == [("good1.png", "cannot be read (Input/output error)")]
    monkeypatch.undo()
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    assert (where / "good1.png").stat() == before
    assert (where / "good1.png").read_bytes() == content
    assert len(taken(where)) == 3, "nothing about the file has changed, but now it can be read"


def test_a_file_that_changes_while_it_is_read_is_read_again_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, read = good(tmp_path / "d"), Tree.read

    def changing(self: Tree, name: str) -> bytes:
        data = read(self, name)
        if name == "good1.png":
            plain((0, 0, 255)).save(where / name)
            os.utime(where / name, (1, 1))
        return data

    monkeypatch.setattr(Tree, "read", changing)
    first = taken(where)
    assert first.pixels(np.array([1]))[0, 0, 0].tolist() == [1, 0, 0]
    monkeypatch.undo()
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    second = taken(where)
    assert second.pixels(np.array([1]))[0, 0, 0].tolist() == [0, 0, 255]
    assert second.fingerprint != first.fingerprint


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Without root's rights, for which permission bits do not count."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_to_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that nobody may enter, in the other sense: pytest's own belong to one user."""
    place = Path(tempfile.mkdtemp())
    (place / "cache").mkdir()
    for path in (place, place / "cache"):
        path.chmod(0o777)
    monkeypatch.setenv("ZEROSUM_CACHE", str(place / "cache"))
    yield place
    subprocess.run(["chmod", "-R", "u+rwx", str(place)], check=True)
    shutil.rmtree(place)


def test_without_permission(open_to_all: Path) -> None:
    where = good(open_to_all / "d")
    good(where / "locked", 1)
    plain((9, 9, 9)).save(where / "secret.png")
    (where / "secret.png").chmod(0)
    (where / "locked").chmod(0)
    taken(good(open_to_all / "warm"))  # imports what is needed, while that may be read
    (open_to_all / "cache").chmod(0o777)
    shutil.rmtree(open_to_all / "cache" / "pictures")
    shutil.rmtree(open_to_all / "cache" / "folders")
    with nobody():
        pictures = taken(where)
        assert len(pictures) == 2
        reasons = dict(pictures.refused)
        assert set(reasons) == {"secret.png", "locked"}
        assert all("Permission denied" in why for why in reasons.values())
    (where / "secret.png").chmod(0o644)  # no newer date, the same size
    with nobody():
        assert len(taken(where)) == 3
        with pytest.raises(Refusal, match="Permission denied"):
            taken(where / "locked")


def test_names_in_no_encoding(tmp_path: Path) -> None:
    where = os.fsencode(good(tmp_path / "d" / "one", 2)) + b"/../caf\xe9"
    os.mkdir(where)
    picture = encoded(plain((0, 0, 9)))
    for name, data in ((b"\xff\xfe.png", picture), (b"\xff.png", picture), (b"bad\xe9\x1b[31m.png", b"")):
        Path(os.fsdecode(where + b"/" + name)).write_bytes(data)
    for _ in range(2):
        pictures = taken(tmp_path / "d")
        assert len(pictures) == 4
        assert pictures.refused == [("caf\\udce9/bad\\udce9\\x1b[31m.png", "the file is empty")]
        assert pictures.shape.attributes[0].classes == ("caf\\udce9", "one")
        json.dumps(pictures.refused, ensure_ascii=False).encode()
    pictures = taken(Path(os.fsdecode(where)))  # the folder's own name as well
    assert len(pictures) == 2
    assert pictures.name.encode() == b"caf\\udce9"
    assert len(taken(Path(os.fsdecode(where)))) == 2


def test_printable_leaves_all_scripts_alone() -> None:
    assert printable("Grüße 写真 🍐.png") == "Grüße 写真 🍐.png"
    assert printable("a\nb") == "a\\nb"


def test_very_deep_trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = good(tmp_path / "d")
    monkeypatch.chdir(where)
    shot = encoded(plain((5, 5, 5)))
    for depth in range(1500):  # deeper than Python's recursion and, in the end, than the system's longest path
        os.mkdir("dd")
        os.chdir("dd")
        if depth in (1150, 1499):
            Path("a.png").write_bytes(shot)
    os.chdir(tmp_path)
    try:
        pictures = taken(where)
        assert len(pictures) == 3
        assert [why for _, why in pictures.refused] == ["a folder that cannot be entered (File name too long)"]
    finally:
        subprocess.run(["rm", "-rf", str(where)], check=True)


def test_ten_thousand_files_in_one_folder(tmp_path: Path) -> None:
    where = good(tmp_path / "d", 10)
    for i in range(10, 10_000):
        os.link(where / f"good{i % 10}.png", where / f"{i}.png")
    pictures = folder(where, 4, progress=False)
    heldout = pictures.heldout()
    assert len(pictures) + (len(heldout) if heldout else 0) == 10_000
    assert pictures.refused == []


def test_mixed_sizes_and_modes(tmp_path: Path) -> None:
    where = good(tmp_path / "d", 1)
    for number, mode in enumerate(("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "F")):
        Image.new(mode, (1 + 7 * number, 90 - 9 * number)).save(where / f"{number}.tif")
    pictures = taken(where)
    assert (len(pictures), pictures.refused) == (10, [])


# ------------------------------------------------------------------------------------------------------- large files

WORK: dict[str, Callable[[Path], object]] = {
    "intake": taken,
    "intake of frames": lambda where: taken(where, frames="all"),
    "intake again": lambda where: [taken(where), os.utime(where / "a" / "good0.png", (1, 1)), taken(where)],
    "pairs": lambda where: paired_folder(where, 8, progress=False),
    "a look": lambda where: gather(Shelf(where), False),
    "export": lambda where: export(where, where.with_name("out"), 8, progress=False),
    "split": lambda where: split(where, where.with_name("out"), 0.5, progress=False),
    "pairing": lambda where: pair(where / "a", where / "b", where.with_name("out"), progress=False),
    "halving": lambda where: halve(where, where.with_name("out"), progress=False),
}


@pytest.mark.parametrize("work", WORK)
def test_no_work_reads_two_large_files_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    for i in range(4):
        for half in "ab":
            Image.fromarray(painted() + i).save(good(tmp_path / "d" / half, 0) / f"good{i}.png")
    reading, most, read = set[str](), [0], Tree.read

    def slowly(tree: Tree, name: str) -> bytes:
        reading.add(name)
        most.append(len(reading))
        time.sleep(0.005)
        reading.remove(name)
        return read(tree, name)

    monkeypatch.setattr(tree_module, "_LARGE_BYTES", 10)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(Tree, "read", slowly)
    WORK[work](tmp_path / "d")
    assert max(most) == 1


def test_a_large_file_is_held_until_it_is_worked_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree(good(tmp_path / "d", 2))
    held = []

    def hold() -> None:
        with tree.held("good1.png"):
            held.append("good1.png")

    monkeypatch.setattr(tree_module, "_LARGE_BYTES", 10)
    other = threading.Thread(target=hold)
    with tree.held("good0.png"):
        other.start()
        other.join(0.05)
        assert not held
    other.join()
    assert held


# ------------------------------------------------------------------------------------------------------- zips, the disk


def test_a_zip_with_absolute_names_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("x/1.png", "/x/2.png", "/y/3.png", "y/4.png"):
            archive.writestr(name, encoded(Image.fromarray(painted())))
    assert folder(tmp_path / "a.zip").shape.attributes[0].classes == ("x", "y")


def test_a_zip_whose_names_are_broken_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("é.png", b"x")
    broken = (tmp_path / "a.zip").read_bytes().replace("é".encode(), b"\xff\xff")
    (tmp_path / "a.zip").write_bytes(broken)
    with pytest.raises(Refusal, match="not a zip"):
        taken(tmp_path / "a.zip")


def test_a_broken_entry_of_a_zip_is_passed_over(tmp_path: Path) -> None:
    picture = encoded(plain())
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("a.png", "b.png", "c.png"):
            archive.writestr(name, picture)
    whole = bytearray((tmp_path / "a.zip").read_bytes())
    whole[whole.index(b"b.png") + 20] ^= 255
    (tmp_path / "a.zip").write_bytes(whole)
    pictures = taken(tmp_path / "a.zip")
    assert len(pictures) == 2
    assert [name for name, _ in pictures.refused] == ["b.png"]


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "where", ["os.posix_fallocate", "numpy.save", "zerosum.data.pictures.save_json", "zerosum.data.pictures.sync"]
)
def test_a_disk_that_fills_up_is_a_refusal_and_leaves_nothing(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, full)
    with pytest.raises(Refusal, match="No space left on device"):
        taken(good(tmp_path / "d"))
    assert list((tmp_path / "cache" / "pictures").iterdir()) == []


def test_too_little_space_is_seen_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(Refusal, match="Make room"):
        taken(good(tmp_path / "d"))


def test_a_note_that_cannot_be_written_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = good(tmp_path / "d")
    (tmp_path / "cache" / "folders").mkdir(parents=True)
    monkeypatch.setattr("zerosum.core.files.os.replace", full)  # of the set, only its folder is renamed
    monkeypatch.setattr("zerosum.data.pictures.save_json", lambda path, record: path.write_text(json.dumps(record)))
    assert len(taken(where)) == 2
    assert list((tmp_path / "cache" / "folders").iterdir()) == []


LIMITED = """
import resource, sys
from zerosum import cli
from zerosum.core.errors import Refusal
from zerosum.data.folder import folder
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    folder(sys.argv[1], 128, progress=False)
except Refusal as refusal:
    print(refusal)
"""


def test_a_real_write_error_is_a_refusal(tmp_path: Path) -> None:
    """A limit on the size of files, which the system enforces: the map of the pictures does not fit."""
    command = [sys.executable, "-c", LIMITED, str(good(tmp_path / "d"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "the pictures cannot be kept (File too large)" in done.stdout


# --------------------------------------------------------------------------------------------------- the command line


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, run = good(tmp_path / "d", 60), tmp_path / "run"
    (where / "a.gif").write_bytes(moving())
    for i in range(15):
        (where / f"empty{i:02}.png").write_bytes(b"")
    small = [
        "--resolution",
        "32",
        "--width",
        "2",
        "--z",
        "4",
        "--batch",
        "8",
        "--images",
        "16",
        "--score",
        "0",
        "--json",
    ]
    look = ["--channels", "4", "--frames", "all", "--ground", "#102030"]
    assert cli.main(["train", "dcgan", str(where), *small, *look, "--run", str(run)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "passed over: empty00.png: the file is empty"
    assert said[10:12] == ["passed over: 5 more: the file is empty", "63 pictures taken, 15 files passed over"]
    opened = json.loads((run / "run.json").read_text())["opened"]
    assert (opened["channels"], opened["ground"], opened["frames"]) == (4, "#102030", "all")
    assert cli.main(["evaluate", str(run), "--n", "60", "--judges", "random", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 60


def test_a_named_set_comes_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for look in (["--channels", "1"], ["--channels", "3"], ["--ground", "white"], ["--frames", "first"]):
        assert cli.main(["train", "avatars", *look, "--runs", str(tmp_path)]) == 1
        assert "comes as it is" in capsys.readouterr().err
    assert cli.main(["train", "avatars", "--channels", "5", "--runs", str(tmp_path)]) == 2
