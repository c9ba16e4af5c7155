from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.metrics.made_up import Made, scenes
from zerosum.core.pictures import from_uint8
from zerosum.features.random_conv import RandomConv
from zerosum.metrics import gallery as module
from zerosum.metrics.coverage import Thumbnails
from zerosum.metrics.gallery import Gallery, chosen, drawn


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "cache_dir", lambda *parts: tmp_path)
    return tmp_path


class Walks:
    """Counts how often the pictures are walked through, in batches of a size."""

    def __init__(self, batch: int = 7):
        self.num, self.x, self.batch = 0, from_uint8(scenes(20, side=16)), batch

    def __call__(self) -> Iterator[Tensor]:
        self.num += 1
        return iter(self.x.split(self.batch))


def test_all_eyes_share_one_walk() -> None:
    walks, eyes = Walks(), (Thumbnails(), RandomConv())
    gallery = Gallery(walks)
    gallery.show(*eyes)
    for one in eyes:
        torch.testing.assert_close(gallery.seen(one), one.features(walks.x), rtol=1e-4, atol=1e-5)
    assert walks.num == 1


def test_only_a_keyed_gallery_is_kept_on_the_disk(empty_cache: Path) -> None:
    Gallery(Walks()).show(Thumbnails())
    assert not list(empty_cache.iterdir())
    first = Gallery(Walks(), ["these"]).seen(Thumbnails())
    walks = Walks()
    assert Gallery(walks, ["these"]).seen(Thumbnails()).equal(first)
    assert walks.num == 0
    Gallery(walks, ["others"]).show(Thumbnails())
    Gallery(walks, ["these"]).mirrored().show(Thumbnails())
    Gallery(walks, ["these"]).show(RandomConv())
    assert walks.num == 3


def test_the_size_of_batches_does_not_count() -> None:
    for eyes in (Thumbnails(), RandomConv()):
        one, other = (Gallery(Walks(batch)).seen(eyes) for batch in (3, 20))
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_mirrored_pictures_are_mirrored() -> None:
    walks = Walks()
    wanted = Thumbnails().features(walks.x.flip(3))
    torch.testing.assert_close(Gallery(walks).mirrored().seen(Thumbnails()), wanted)


def test_drawn_pictures_are_those_that_are_chosen() -> None:
    source = Made(scenes(40, side=16))
    numbers = chosen(source, 15, seed=3)
    assert len(set(numbers)) == 15
    wanted = Thumbnails().features(source.batch(numbers).x)
    torch.testing.assert_close(drawn(source, 15, seed=3).seen(Thumbnails()), wanted)
    assert len(drawn(source, 99, seed=3).seen(Thumbnails())) == 40
