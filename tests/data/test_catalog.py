"""Data by name, and the fruit photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.core.batch import Images, Pairs, Unpaired
from zerosum.core.errors import Refusal
from zerosum.data.catalog import DATA, lies_in, open_data, parted, refuse_number, refuse_other, usual_side
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


@pytest.mark.parametrize(
    ("data", "base", "wanted"),
    [
        ("fruit", "fruit", {}),
        ("fruit:class=apple", "fruit", {"class": ["apple"]}),
        ("avatars:hair colour=black,hat=none", "avatars", {"hair colour": ["black"], "hat": ["none"]}),
        ("avatars:glasses=glasses,glasses=sunglasses", "avatars", {"glasses": ["glasses", "sunglasses"]}),
        ("things:class=nuts, bolts,size=12:30", "things", {"class": ["nuts, bolts"], "size": ["12:30"]}),
        ("C:\\a=b\\c", "C:\\a=b\\c", {}),
    ],
)
def test_a_selection_is_parted_from_the_name(data, base, wanted):
    assert parted(data) == (base, wanted)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """120 pictures of their own in each of two subfolders, in the folder photos of the working folder."""
    monkeypatch.chdir(tmp_path)
    for kind, red in (("cats", 0), ("dogs", 255)):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(120):
            Image.new("RGB", (8, 8), (red, number, 0)).save(tmp_path / "photos" / kind / f"{number}.png")
    return tmp_path / "photos"


def test_a_class_is_selected_held_out_pictures_too(photos):
    whole, cats = (open_data(name, 8, progress=False) for name in ("photos", "photos:class=cats"))
    for part, all_ in ((cats, whole), (cats.heldout(), whole.heldout())):
        rows = np.arange(len(part))
        assert (part.labels(rows) == 0).all()
        assert (part.pixels(rows)[..., 0] == 0).all()
        assert len(part) == (all_.labels(np.arange(len(all_))) == 0).sum() > 0
    assert cats.name == "photos-cats"
    assert cats.shape == whole.shape
    both = open_data("photos/:class=cats,class=dogs", 8, progress=False)
    assert len(both) == len(whole)
    assert len({whole.fingerprint, cats.fingerprint, both.fingerprint}) == 3
    assert cats.fingerprint == open_data("photos:class=cats", 8, progress=False).fingerprint


def test_a_path_of_the_whole_name_wins(photos, monkeypatch):
    photos.rename(photos.with_name("photos:class=cats"))
    assert parted("photos:class=cats") == ("photos:class=cats", {})
    pictures = open_data("photos:class=cats", 8, progress=False)
    assert {code for (code,) in pictures.labels(np.arange(len(pictures)))} == {0, 1}


def test_several_labels_must_all_hold(photos):
    rows = (f"{kind}/{n}.png,{kind},{n % 3}\n" for kind in ("cats", "dogs") for n in range(120))
    (photos / "labels.csv").write_text("file,kind,size\n" + "".join(rows))
    pictures = open_data("photos:kind=dogs,size=0,size=2", 8, progress=False)
    assert {tuple(codes) for codes in pictures.labels(np.arange(len(pictures)))} == {(1, 0), (1, 2)}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("photos:clas=cats", "photos has no label 'clas'; did you mean 'class'? Known: class."),
        ("photos:class=cat", "'class' has no class 'cat'; did you mean 'cats'? Known: cats, dogs."),
        ("photos:class=", "'class' has no class ''; known: cats, dogs."),
        ("photoz:class=cats", "neither a folder or zip of pictures nor data by name"),
        ("nowhere/photos:class=cats", "nowhere/photos: no such folder"),
        ("avatar:hat=none", "did you mean 'avatars'"),
        ("photos/cats:class=a", "cats has no labels to select by"),
    ],
)
def test_a_label_that_there_is_not_is_refused_with_those_there_are(photos, data, said):
    with pytest.raises(Refusal) as caught:
        open_data(data, 8, progress=False)
    assert said in str(caught.value)


def test_a_set_with_one_label_calls_it_class_too():
    assert len(open_data("fruit:class=orange", 32, progress=False)) == len(open_data("fruit:fruit=orange", 32, False))


def test_too_few_are_refused(photos):
    (photos / "labels.csv").write_text(
        "file,kind\ncats/1.png,rare\n" + "".join(f"cats/{n}.png,usual\n" for n in range(2, 120))
    )
    with pytest.raises(Refusal, match="Wanted at least two"):
        open_data("photos:kind=rare", 8, progress=False)


def test_two_sets_are_for_those_who_play_on_two():
    refuse_number(["avatars", "fruit"], Unpaired, "a game plays on")
    refuse_number(["avatars"], Images | Unpaired, "a game plays on")
    with pytest.raises(Refusal, match="a game plays on pictures; two sets are named, avatars and fruit"):
        refuse_number(["avatars", "fruit"], Images, "a game plays on")
    with pytest.raises(Refusal, match="a game plays on two sets of pictures; one is named, avatars"):
        refuse_number(["avatars"], Unpaired, "a game plays on")
    with pytest.raises(Refusal, match="openmoji holds pairs of pictures"):
        refuse_number(["avatars", "openmoji"], Unpaired, "a game plays on")


def test_a_selection_lies_where_its_folder_does(photos):
    assert lies_in(photos / "new.png", "photos:class=cats")


def test_a_set_is_taken_at_its_own_size_and_a_folder_at_64(tmp_path: Path) -> None:
    assert usual_side("mnist") == 28
    assert usual_side("cifar10:thing=cat") == 32
    assert usual_side(str(tmp_path)) == usual_side("avatars") == 64
    assert usual_side("mnist", str(tmp_path)) == 64
