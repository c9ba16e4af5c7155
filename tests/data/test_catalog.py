"""Data by name, and the fruit photographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from zerosum.core.batch import Images, Pairs
from zerosum.core.errors import Refusal
from zerosum.data.catalog import DATA, lies_in, open_data, refuse_other
from zerosum.data.fruit import KINDS, fruit


def test_fruit():
    pictures = fruit(32, progress=False)
    heldout = pictures.heldout()
    assert heldout is not None
    assert len(pictures) + len(heldout) == 2054
    assert 150 < len(heldout) < 260
    both = np.concatenate([p.labels(np.arange(len(p)))[:, 0] for p in (pictures, heldout)])
    assert dict(zip(KINDS, np.bincount(both).tolist(), strict=True)) == {
        "apple": 852,
        "melon": 480,
        "pear": 337,
        "satsuma": 211,
        "orange": 174,
    }
    assert fruit(32, progress=False).fingerprint == pictures.fingerprint


def test_a_path_wins_and_a_near_name_is_suggested(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fruit").mkdir()
    for name in "ab":
        Image.new("RGB", (8, 8)).save(tmp_path / "fruit" / f"{name}.png")
    assert len(open_data("fruit", 8, progress=False)) == 2
    with pytest.raises(Refusal, match="did you mean 'avatars'"):
        open_data("avatar")


def test_what_a_set_holds_is_known_before_it_is_opened():
    refuse_other("openmoji", Pairs, "a game plays on")
    refuse_other("avatars", Images, "a game plays on")
    refuse_other("elsewhere", Pairs, "a game plays on")
    with pytest.raises(Refusal, match="a game plays on pictures; openmoji holds pairs of pictures"):
        refuse_other("openmoji", Images, "a game plays on")


def test_a_path_by_the_name_of_a_set_is_not_the_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openmoji").mkdir()
    refuse_other("openmoji", Images, "a game plays on")


def test_what_lies_in_the_data(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "there").symlink_to(tmp_path / "photos")
    assert lies_in(tmp_path / "there" / "new" / "x.png", tmp_path / "photos")
    assert not lies_in(tmp_path / "x.png", tmp_path / "photos")
    assert not lies_in(tmp_path / "x.png", "avatars")


def test_every_set_says_what_it_is():
    for data in DATA.values():
        assert data.summary
        assert data.licence
        assert data.citation
