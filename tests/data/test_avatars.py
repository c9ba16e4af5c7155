"""Drawn faces: the same for an index at all times, true to their labels, like the library's own."""

from __future__ import annotations

import io
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
import python_avatars as pa
import resvg_py
from PIL import Image

from zerosum.core.errors import Refusal
from zerosum.data import avatars as module
from zerosum.data.avatars import ATTRIBUTES, HELDOUT_START, Face, Painter, avatars


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))


def test_faces_are_decided_by_their_index():
    small = avatars(16, count=4, heldout_count=2, progress=False)
    large = avatars(16, count=6, heldout_count=3, progress=False)
    assert small.shape.attributes == ATTRIBUTES
    assert (small.pixels(np.arange(4)) == large.pixels(np.arange(4))).all()
    heldout, others = small.heldout(), large.heldout()
    assert heldout is not None
    assert others is not None
    assert (heldout.pixels(np.arange(2)) == others.pixels(np.arange(2))).all()
    assert (heldout.pixels(np.arange(1)) == Painter(16).draw(Face.of(HELDOUT_START))).all()
    assert small.fingerprint != large.fingerprint


def test_second_start_draws_nothing(monkeypatch):
    first = avatars(16, count=4, heldout_count=2, progress=False)
    monkeypatch.setattr(module, "Painter", None)
    again = avatars(16, count=4, heldout_count=2, progress=False)
    assert again.fingerprint == first.fingerprint
    assert (again.labels(np.arange(4)) == first.labels(np.arange(4))).all()


def test_this_face_is_drawn_by_this_index():
    """Golden: if the recipe is changed on purpose, raise RECIPE and write the new labels here."""
    assert Face.of(0).codes() == [0, 0, 6, 0, 0, 1, 1, 1, 1, 4, 2, 5, 1]


def test_labels_agree_with_one_another():
    for index in range(2000):
        face = Face.of(index)
        labels = face.labels
        assert (labels["hat"] != "none") == (labels["hair style"] == "hidden") == (labels["hair length"] == "hidden")
        assert (labels["hair style"] == "bald") == (labels["hair length"] == "bald") == (face.top is None)
        assert (labels["smile"] == "yes") == (labels["mood"] == "happy")
        assert (labels["moustache"] == "yes") == (face.facial_hair is not None)
        assert (labels["glasses"] == "none") == (face.accessory is None)
        seen = isinstance(face.top, pa.HairType) or face.facial_hair is not None
        assert (labels["hair colour"] != "none") == seen
        if labels["hat"] == "hijab":
            assert face.facial_hair is None


def test_every_class_is_frequent_enough_to_learn():
    counts = Counter((name, label) for i in range(4000) for name, label in Face.of(i).labels.items())
    for attribute in ATTRIBUTES:
        for name in attribute.classes:
            assert counts[attribute.name, name] > 0.025 * 4000, (attribute.name, name)


def test_no_label_is_drawn_without_its_part():
    """Two faces that differ in one label differ in the picture."""
    painter, faces = Painter(32), [Face.of(i) for i in range(60)]
    pictures = [painter.draw(face).tobytes() for face in faces]
    assert len(set(pictures)) == len({str(face) for face in faces})


@pytest.mark.parametrize("hair", [pa.HairType.SHORT_FLAT, pa.HairType.CAESAR])
def test_layers_make_the_librarys_own_picture(hair):
    face = next(
        face
        for face in map(Face.of, range(5000))
        if face.top is hair and face.facial_hair and face.accessory and face.labels["clothes"] == "crew neck"
    )
    painter = Painter(256)
    parts = {key: value for part in module._parts(face) for key, value in part}
    root = ElementTree.fromstring(pa.Avatar(**parts).render())
    left, top, length = module._FRAME
    root.attrib |= {"viewBox": f"{left} {top} {length} {length}", "width": "256", "height": "256"}
    ground = module._GROUND[face.labels["background"]][0]
    drawn = resvg_py.svg_to_bytes(svg_string=ElementTree.tostring(root, encoding="unicode"), background=ground)
    whole = np.asarray(Image.open(io.BytesIO(bytes(drawn))).convert("RGB"), np.int64)
    assert np.abs(painter.draw(face).astype(np.int64) - whole).mean() < 1


def test_refusals():
    with pytest.raises(Refusal, match="square"):
        avatars((32, 16))
    with pytest.raises(Refusal, match="at least 2"):
        avatars(16, count=1)
