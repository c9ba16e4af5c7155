"""A file is loaded as it was saved, or refused by name; nothing in it can raise anything else, or take memory."""

from __future__ import annotations

import functools
import json
import math
import resource
import struct
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import zerosum as zs
from tests.conftest import Blobs
from tests.contract.golden import LABELS
from zerosum.core import catalog
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.generator import FORMAT, Generator, Header, LatentGenerator, Samples, Truncates
from zerosum.core.truncation import spread, threshold, truncated_normal

NUMBERS = [0, -1, 3, 64, 2**31, 10**9, 10**18, 2**63, 10**40]
ODD: list[Any] = [
    *NUMBERS,
    None,
    True,
    2.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    [],
    [[]],
    {},
    [1, 2],
    {"a": 1},
]
odd = st.sampled_from(ODD)
quick = functools.partial(settings, deadline=None, derandomize=True, database=None)


@functools.cache
def whole(game: str = "dcgan") -> bytes:
    """A file as it is saved."""
    game_type = catalog.game(game)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "snapshot.safetensors")
        game_type(game_type.tiny, replace(Blobs(1).shape, attributes=LABELS)).generator().save(path, images=8)
        return path.read_bytes()


def parts(data: bytes) -> tuple[dict, bytes]:
    """The format's own header, and the tensors' bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def with_ours(change: dict | str, game: str = "dcgan") -> bytes:
    """A file whose header of ours is changed, or is that text."""
    header, body = parts(whole(game))
    ours = json.loads(header["__metadata__"]["zerosum"])
    header["__metadata__"]["zerosum"] = change if isinstance(change, str) else json.dumps(ours | change)
    return joined(header, body)


def loaded(data: bytes) -> Generator | None:
    """What is in such a file, or None where it is refused, with the file's name; pictures can be made from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bad.safetensors")
        path.write_bytes(data)
        try:
            generator = zs.load(path)
        except Refusal as error:
            refusal = str(error)
        else:
            refusal = ""
    if refusal:
        assert str(path) in refusal
        assert len(refusal) < 1000
        return None
    z = generator.latents(1, 0) if isinstance(generator, Samples) else generator.encode(torch.zeros(1, 3, 32, 32))
    x = generator(z)
    assert x.shape == (1, 3, 32, 32)
    return generator


@pytest.mark.parametrize("game", catalog.names())
def test_what_is_saved_is_loaded(game: str) -> None:
    found = loaded(whole(game))
    assert found is not None
    assert (found.header.game, found.header.images, found.header.format) == (game, 8, FORMAT)


@quick(max_examples=150)
@given(st.data())
def test_changed_bytes(data: st.DataObject) -> None:
    content = bytearray(whole())
    header_ends = 8 + struct.unpack("<Q", content[:8])[0]
    place = st.one_of(st.integers(0, header_ends + 8), st.integers(0, len(content) - 1))
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=4)):
        content[at] = value
    loaded(bytes(content))


@quick(max_examples=40)
@given(st.one_of(st.integers(0, 3000), st.integers(0, len(whole()) - 1)))
def test_cut_files(length: int) -> None:
    assert loaded(whole()[:length]) is None


@quick(max_examples=40)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    assert loaded(data) is None
    assert loaded(whole() + data) is None or not data


@pytest.mark.parametrize("length", [0, 1, 2**20, 10**8, 2**32, 2**63 - 1, 2**64 - 1])
def test_a_length_that_is_not_the_headers(length: int) -> None:
    assert loaded(struct.pack("<Q", length) + whole()[8:]) is None


@quick(max_examples=150)
@given(st.data())
def test_the_formats_own_header(data: st.DataObject) -> None:
    header, body = parts(whole())
    name = data.draw(st.sampled_from([key for key in header if key != "__metadata__"]))
    entry = header[name]
    what = data.draw(st.sampled_from(["dtype", "shape", "data_offsets", "drop", "rename", "entry", "swap"]))
    if what == "dtype":
        types = ["F64", "F16", "BF16", "I32", "U8", "BOOL", "F8_E4M3", "F4", "C64", "?"]
        entry["dtype"] = data.draw(st.one_of(st.sampled_from(types), odd))
    elif what in ("shape", "data_offsets"):
        entry[what] = data.draw(st.one_of(odd, st.lists(st.one_of(st.sampled_from(NUMBERS), odd), max_size=5)))
    elif what == "drop":
        del header[name]
    elif what == "rename":
        header[data.draw(st.text(max_size=20)) + "?"] = header.pop(name)
    elif what == "entry":
        header[name] = data.draw(odd)
    else:
        other = data.draw(st.sampled_from([key for key in header if key not in ("__metadata__", name)]))
        entry["data_offsets"] = header[other]["data_offsets"]  # they overlap
    before = json.loads(json.dumps(parts(whole())[0]))
    assert loaded(joined(header, body)) is None or header == before


@quick(max_examples=200)
@given(st.data())
def test_our_header(data: st.DataObject) -> None:
    game = data.draw(st.sampled_from(catalog.names()))
    ours = json.loads(parts(whole(game))[0]["__metadata__"]["zerosum"])
    place = data.draw(st.sampled_from([*ours, "config.", "shape."]))
    if place.endswith("."):
        inside = ours[place[:-1]]
        inside[data.draw(st.sampled_from([*inside, "unknown"]))] = data.draw(odd)
    else:
        ours[place] = data.draw(odd)
    loaded(with_ours(ours, game))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, "{}", '{"format": 1}', "9" * 5000])
def test_no_header(text: str) -> None:
    assert loaded(with_ours(text)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": FORMAT + 1}, "update zerosum"),
        ({"game": "dcgam"}, "did you mean 'dcgan'"),
        ({"game": "../core/run"}, "no game"),
        ({"config": {"widht": 4}}, "did you mean 'width'"),
        ({"config": {"z": 9, "width": 4}}, r"tensors are not those of dcgan: G\.0\.weight is .*8\], wanted .*9\]"),
        ({"images": -1}, "images is -1"),
        ({"shape": {"height": "32", "width": 32, "channels": 3}}, "height is '32'"),
    ],
)
def test_the_refusal_says_why(change: dict, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(with_ours(change))
    with pytest.raises(Refusal, match=rf"bad\.safetensors: .*{said}"):
        zs.load(tmp_path / "bad.safetensors")


@pytest.mark.parametrize("game", catalog.names())
@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"z": 10**9}, {}),
        ({"width": 10**6}, {}),
        ({"z": 10**9, "width": 10**6}, {}),
        ({}, {"height": 2**20, "width": 2**20}),
        ({}, {"channels": 10**9}),
        ({}, {"height": 10**15}),
    ],
)
def test_networks_that_no_memory_could_hold_are_not_built(game: str, config: dict, shape: dict) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    header = json.loads(parts(whole(game))[0]["__metadata__"]["zerosum"])
    changed = {"config": header["config"] | config, "shape": header["shape"] | shape}
    assert loaded(with_ours(changed, game)) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KB


def test_a_judge_comes_along() -> None:
    found = loaded(whole())
    assert found is not None
    assert found.judge is not None
    assert found.score(torch.zeros(2, 3, 32, 32)).shape == (2,)


def test_a_file_that_is_not_ours(tmp_path: Path) -> None:
    header, body = parts(whole())
    del header["__metadata__"]
    (tmp_path / "theirs.safetensors").write_bytes(joined(header, body))
    with pytest.raises(Refusal, match="has no header of ours"):
        zs.load(tmp_path / "theirs.safetensors")


def test_the_header_survives_its_text() -> None:
    found = loaded(whole())
    assert found is not None
    header = replace(found.header, recipe="abc", data="ünï", images=10**12)
    assert type(header).from_json(header.to_json()) == header


PSIS = (0.05, 0.3, 0.7, 0.95)


class Shown(nn.Module):
    """Pictures of as many pixels as there are latents: the latents themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.one * z[:, None, None]


def shown(z_dim: int = 500) -> LatentGenerator:
    return LatentGenerator(Header("shown", {}, DataShape(1, z_dim, 1)), Shown(), z_dim).eval()


def test_the_spread_within_a_threshold_by_hand() -> None:
    # within one deviation: 1 - 2 * 0.2419707 / 0.6826895
    assert spread(1.0) == pytest.approx(math.sqrt(1 - 2 * 0.24197072 / 0.68268949), rel=1e-6)
    assert spread(1e-3) == pytest.approx(1e-3 / math.sqrt(3), rel=1e-4)  # there the density is flat
    assert spread(12.0) == pytest.approx(1.0)


@pytest.mark.parametrize("psi", PSIS)
def test_truncated_latents_have_the_spread_asked_for_and_stay_within_its_threshold(psi: float) -> None:
    x = shown().images(40, seed=3, truncation=psi)
    assert x.std().item() == pytest.approx(psi, rel=0.02)
    assert x.mean().item() == pytest.approx(0, abs=0.02 * psi)
    assert spread(threshold(psi)) == pytest.approx(psi)
    assert x.abs().max().item() <= threshold(psi) * (1 + 1e-6)


def test_truncation_keeps_order_and_sides_and_goes_on_to_the_end() -> None:
    z = torch.tensor([-30.0, -9.0, -6.0, -1.0, 0.0, 0.5, 6.0, 9.0, 30.0])
    for psi in PSIS:
        x = truncated_normal(z, psi)
        assert x.isfinite().all()
        assert (x.diff() >= 0).all()
        assert torch.equal(x, -truncated_normal(-z, psi))
        assert x[4] == 0
        assert x[-1].item() == pytest.approx(threshold(psi), rel=1e-6)
    nearer = torch.stack([truncated_normal(z, psi) for psi in PSIS])
    assert (nearer.abs().diff(dim=0) >= 0).all(), "each number comes nearer to the middle as psi falls"


def test_at_1_pictures_are_as_they_are() -> None:
    generator, z = shown(), torch.randn(4, 500)
    assert torch.equal(generator.images(3, seed=1, truncation=1), generator.images(3, seed=1))
    assert torch.equal(generator.truncated(z, 1.0), generator(z))


def test_the_same_seed_gives_related_pictures_at_each_psi() -> None:
    one, other = (shown().images(1, seed=2, truncation=psi).flatten() for psi in (1.0, 0.3))
    assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.9
    assert torch.equal(one.argsort(), other.argsort())


def test_a_longer_truncated_draw_begins_with_a_shorter_one_and_comes_as_a_grid_too() -> None:
    generator = shown(16)
    assert torch.equal(generator.images(5, truncation=0.5)[:2], generator.images(2, truncation=0.5))
    assert (generator.sample(4, truncation=0.5) != generator.sample(4)).any()
    assert generator.grid(4, truncation=0.5).tobytes() != generator.grid(4).tobytes()


def test_what_comes_behind_the_noise_is_not_truncated() -> None:
    generator = shown(3)
    z = torch.tensor([[2.0, -2.0, 1.0, 5.0, 0.0]])
    x = generator.truncated(z, 0.2).flatten()
    assert x[3:].tolist() == [5.0, 0.0]
    assert x[:3].abs().max() < 0.5


@pytest.mark.parametrize("psi", [0, -0.5, 1.01, math.nan, math.inf, "0.5", None])
def test_a_truncation_out_of_range_is_refused(psi: Any) -> None:
    with pytest.raises(Refusal, match=r"truncation=.*: wanted above 0 and at most 1"):
        shown().images(1, truncation=psi)


def test_a_generator_that_does_not_truncate_says_so() -> None:
    class Bare(Generator):
        def latents(self, n: int, seed: int) -> torch.Tensor:
            return torch.zeros(n, 3)

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z[:, None, None]

    bare = Bare(Header("bare", {}, DataShape(1, 3, 1)), nn.Linear(1, 1))
    assert not isinstance(bare, Truncates)
    assert bare.images(2).shape == (2, 1, 1, 3)
    with pytest.raises(Refusal, match=r"bare does not truncate its latents. Leave truncation=0\.5 out\."):
        bare.images(2, truncation=0.5)


@pytest.mark.parametrize("game", catalog.names())
def test_games_of_normal_latents_truncate(game: str) -> None:
    found = loaded(whole(game))
    assert found is not None
    if isinstance(found, LatentGenerator):
        assert isinstance(found, Truncates)
        assert not torch.equal(found.images(4, truncation=0.1), found.images(4))
        assert torch.equal(found.images(4, truncation=1.0), found.images(4))
