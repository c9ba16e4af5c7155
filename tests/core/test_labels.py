"""Labels on hand-computed codes: what is drawn, what is wished for, what lies between classes."""

from __future__ import annotations

import pytest
import torch

from tests.contract.golden import LABELS  # class: a, b, c; glasses: no, yes
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.generator import ConditionalGenerator, Conditions, Samples
from zerosum.core.labels import KEPT, Seen, blended, one_hot, wished
from zerosum.games.cgan import CGAN


def seen(*rows: list[int]) -> Seen:
    memory = Seen(LABELS)
    memory.note(torch.tensor(rows))
    return memory


def conditional(*rows: list[int]) -> ConditionalGenerator:
    torch.manual_seed(0)
    generator = CGAN(CGAN.tiny, DataShape(32, 32, 3, LABELS)).generator().eval()
    generator.seen.note(torch.tensor(rows))
    return generator


def labels_of(z: torch.Tensor) -> list[tuple[int, int]]:
    """The codes in latents of a tiny cgan: four numbers of noise, three classes, two more."""
    return [(row[4:7].argmax().item(), row[7:9].argmax().item()) for row in z]  # type: ignore[misc]


def test_codes_stand_side_by_side() -> None:
    assert one_hot(torch.tensor([[2, 0], [1, 1]]), LABELS).tolist() == [[0, 0, 1, 1, 0], [0, 1, 0, 0, 1]]


def test_between_classes_lies_a_blend() -> None:
    codes = torch.tensor([[3.0, 1.0, 0.0, 0.5, 0.0], [-1.0, 2.0, 0.0, 0.0, 0.0]])
    assert blended(codes, LABELS).tolist() == [[0.75, 0.25, 0, 1, 0], [0, 1, 0, 0, 0]]


def test_labels_are_drawn_together_as_they_came() -> None:
    drawn = seen([0, 1], [2, 0], [2, 0], [2, 0]).draw(2000, seed=1)
    assert {tuple(row) for row in drawn.tolist()} == {(0, 1), (2, 0)}
    assert (drawn[:, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.04)


def test_a_longer_draw_begins_with_a_shorter_one() -> None:
    for memory in (seen([0, 1], [2, 0], [1, 1]), Seen(LABELS)):
        assert torch.equal(memory.draw(50, seed=3)[:20], memory.draw(20, seed=3))
        assert not torch.equal(memory.draw(50, seed=3), memory.draw(50, seed=4))


def test_before_any_are_seen_all_classes_are_as_likely() -> None:
    drawn = Seen(LABELS).draw(3000, seed=0)
    assert torch.bincount(drawn[:, 0], minlength=3).div(3000).tolist() == pytest.approx([1 / 3] * 3, abs=0.04)
    assert Seen(LABELS).mean().tolist() == pytest.approx([1 / 3] * 3 + [1 / 2] * 2)


def test_what_is_full_does_not_change() -> None:
    memory = seen(*[[1, 0]] * (KEPT - 1))
    assert len(memory.rows()) == KEPT - 1
    memory.note(torch.tensor([[2, 1], [2, 1]]))
    full = memory.rows()
    assert len(full) == KEPT
    memory.note(torch.tensor([[0, 1]]))
    assert torch.equal(memory.rows(), full)


def test_the_mean_is_how_often_each_class_was_seen() -> None:
    assert seen([0, 1], [2, 0], [2, 0], [2, 0]).mean().tolist() == pytest.approx([0.25, 0, 0.75, 0.75, 0.25], abs=1e-3)


def test_codes_that_no_class_has_do_no_harm() -> None:
    memory = seen([0, 1])
    memory.y[0] = torch.tensor([9, 9], dtype=torch.int32)
    assert memory.draw(1, seed=0).tolist() == [[2, 1]]


def test_a_wish_brings_what_goes_with_it() -> None:
    memory = seen([0, 0], [1, 0], [2, 1])
    y = torch.tensor([[0, 0], [1, 0], [2, 1]])
    chance = torch.tensor([0.0, 0.4, 1.0])
    assert memory.agreeing(y, {1: 1}, chance).tolist() == [[2, 1]] * 3  # only c was seen with glasses
    assert memory.agreeing(y, {1: 0}, chance).tolist() == [[0, 0], [1, 0], [1, 0]]  # who agrees stays
    assert memory.agreeing(y, {0: 1, 1: 1}, chance).tolist() == [[1, 1]] * 3  # never seen: set alone


def test_what_is_not_wished_for_comes_as_it_does_among_those_that_are_so() -> None:
    generator = conditional(*[[0, 0]] * 60, *[[1, 1]] * 19, [2, 1])
    z = generator.latents(2000, seed=0)
    told = generator.labelled(z, {"glasses": "yes"})
    assert torch.equal(told[:, :4], z[:, :4])
    after = labels_of(told)
    assert {glasses for _, glasses in after} == {1}
    assert after.count((2, 1)) / 2000 == pytest.approx(0.05, abs=0.02)
    assert labels_of(generator.labelled(z[:5], {"glasses": "yes"})) == after[:5]


def test_nothing_wished_nothing_changed() -> None:
    generator = conditional([0, 1], [2, 0])
    z = generator.latents(8, seed=0)
    assert torch.equal(generator.labelled(z, {}), z)


def test_latents_are_noise_then_labels() -> None:
    generator = conditional([0, 1], [2, 0])
    assert isinstance(generator, Samples)
    assert isinstance(generator, Conditions)
    assert set(labels_of(generator.latents(30, seed=0))) == {(0, 1), (2, 0)}
    assert torch.equal(generator.latents(9, seed=0)[:4], generator.latents(4, seed=0))


def test_pictures_of_a_class_are_those_of_its_codes() -> None:
    generator = conditional([0, 1], [2, 0])
    z = generator.latents(3, seed=5)
    z[:, 4:] = torch.tensor([0.0, 0, 2, 3, 0])  # not yet divided by their sums
    assert torch.allclose(generator(z), generator.images(3, seed=5, labels={"class": "c"}), atol=1e-6)


def test_wishes_by_name() -> None:
    assert wished({"glasses": "yes", "class": "b"}, LABELS) == {1: 1, 0: 1}
    with pytest.raises(Refusal, match=r"no label 'clas'; did you mean 'class'\? There are: class, glasses\."):
        wished({"clas": "b"}, LABELS)
    with pytest.raises(Refusal, match=r"class=z: no such class; known: a, b, c\."):
        wished({"class": "z"}, LABELS)
