"""Perceptual hashes: what is alike, what is not, and groups of many."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from zerosum.data.decode import decode
from zerosum.data.likeness import MAX_BITS, Looks, joined, look, members, near, same


def scene(seed: int) -> Image.Image:
    """A made-up photograph: soft blotches of colour."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 255, (6, 6, 3), np.uint8))
    return coarse.resize((240, 240), Image.Resampling.BICUBIC)


def looks(*pictures: Image.Image) -> Looks:
    return look(np.stack([np.asarray(picture.convert("RGB").resize((32, 32))) for picture in pictures]))


def saved(picture: Image.Image, **settings) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, **settings)
    return Image.fromarray(decode(file.getvalue(), 32, 32, 3))


def test_saved_again_is_near_and_another_is_not():
    one = scene(0)
    made = [
        one,
        saved(one, format="JPEG", quality=30),
        saved(one.resize((90, 90)), format="WEBP", quality=60),
        ImageEnhance.Brightness(one).enhance(1.03),
        scene(1),
        one.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        ImageEnhance.Brightness(one).enhance(0.5),
    ]
    assert near(looks(*made)).tolist() == [0, 0, 0, 0, 4, 5, 6]


def test_a_difference_in_one_spot_tells_two_pictures_apart():
    one = scene(0)
    other = one.copy()
    other.paste("black", (100, 150, 130, 165))
    assert near(looks(one, other)).tolist() == [0, 1]


def test_flat_pictures_are_told_apart_by_their_colour():
    flat = [Image.new("RGB", (32, 32), colour) for colour in ("black", "white", "red", "black")]
    assert near(looks(*flat)).tolist() == [0, 1, 2, 0]


def slow_near(made: Looks) -> list[set[int]]:
    """Every pair, one by one."""
    groups: list[set[int]] = [{i} for i in range(len(made))]
    for i in range(len(made)):
        for j in range(i):
            differing = (int(made.hashes[i]) ^ int(made.hashes[j])).bit_count()
            if differing <= MAX_BITS:
                one, other = (next(g for g in groups if k in g) for k in (i, j))
                if one is not other:
                    groups.remove(other)
                    one |= other
    return groups


def test_groups_are_those_of_the_slow_way():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, 40, np.uint64).repeat(4)
    for _ in range(4):  # up to four bits differ from the hash that four began with
        hashes ^= np.uint64(1) << random.integers(0, 64, len(hashes), np.uint64)
    order = random.permutation(len(hashes))
    made = Looks(hashes[order], np.zeros((len(hashes), 16, 16, 3), np.uint8))
    groups = near(made)
    slow = slow_near(made)
    assert {frozenset(np.flatnonzero(groups == g).tolist()) for g in set(groups)} == {frozenset(g) for g in slow}
    assert 5 < len(slow) < 140
    assert all(groups[i] == min(group) for group in slow for i in group)


@pytest.mark.parametrize("kind", ["different", "all alike"])
def test_many_do_not_take_quadratic_time(kind):
    num = 10_000
    hashes = np.random.default_rng(0).integers(0, 2**63, num, np.uint64) if kind == "different" else np.zeros(num)
    made = Looks(hashes.astype(np.uint64), np.zeros((num, 16, 16, 3), np.uint8))
    began = time.process_time()
    assert len(members(near(made))) == (kind == "all alike")
    assert time.process_time() - began < 10  # every pair would be 50 million


def test_same_content():
    hashes = np.zeros((5, 32), np.uint8)
    hashes[[1, 4], 31] = 7
    hashes[3, 0] = 1
    assert same(hashes).tolist() == [0, 1, 0, 3, 1]


def test_joined_chains_and_members():
    groups = joined(np.arange(8), np.array([5, 3, 1]), np.array([3, 1, 7]))
    assert groups.tolist() == [0, 1, 2, 1, 4, 1, 6, 1]
    assert [part.tolist() for part in members(joined(groups, np.array([0]), np.array([2])))] == [[1, 3, 5, 7], [0, 2]]
    assert members(np.arange(3)) == []
