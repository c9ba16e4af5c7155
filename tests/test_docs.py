"""What the docs show works."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import pytest
import torch

from tests.conftest import Blobs
from zerosum.core.game import Game
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.training.match import Match

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_the_example_game_plays(monkeypatch: pytest.MonkeyPatch, blobs: Blobs) -> None:
    text = (ROOT / "docs" / "adding-a-game.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.S)
    assert code is not None
    module = types.ModuleType("zerosum.games.foo")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(code[1], module.__dict__)
    torch.manual_seed(0)
    game: Game = module.Foo(module.Foo.tiny, blobs.shape)
    plan = Plan(batch=8, micro=8, order="epochs")
    match = Match(game, blobs, plan, choose(plan), total=64)
    match.play_round()
    assert set(match.take_notes()) == {"D_real", "D_fake", "G"}
    assert game.generator().eval().sample(2).shape == (2, 32, 32, 3)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)\)", text) + re.findall(r'src="([^"]+)"', text):
        is_ours = "://" not in target
        assert not is_ours or (page.parent / target).exists(), f"{page.name} links to {target}"
