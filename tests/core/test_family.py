"""The family tree, read off files that cannot even be imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from zerosum.core import catalog, family
from zerosum.core.errors import Refusal

GAME = '''"""{title}"""
import a_library_that_is_not_there

class Settings:
    """Of 1999."""

class Foo(Game):
    """What it is. Somebody, {year}, arXiv 1234.56789; after Another, 1950."""

    Config = Settings
    when = (
        "For this, "
        "not for that."
    )
    {more}
'''


@pytest.fixture(autouse=True)
def games(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_FOLDER", tmp_path)
    monkeypatch.setattr(family, "COSTS", tmp_path / "costs.json")
    (tmp_path / "costs.json").write_text(
        json.dumps({"root": {"times": 0.5, "low": 0.4, "high": 0.6, "where": "a machine"}})
    )
    for name, year, more in (
        ("root", 2014, "plays_on = Images | Table"),
        ("older", 2006, ""),
        ("late", 2019, 'stems_from = "root"'),
        ("early", 2016, 'stems_from = "root"'),
        ("grand", 2017, 'stems_from = "early"'),
    ):
        (tmp_path / f"{name}.py").write_text(GAME.format(title=f"{name}: a game.", year=year, more=more))


def test_a_card_says_what_the_file_says() -> None:
    card = family.card("root")
    assert (card.title, card.year, card.stems_from) == ("root: a game.", 2014, None)
    assert (card.plays_on, card.when) == ("pictures or table rows", "For this, not for that.")
    assert card.cost == family.Cost(0.5, 0.4, 0.6, "a machine")
    assert card.about.startswith("What it is. Somebody")
    assert (family.card("late").plays_on, family.card("late").cost) == ("pictures", None)


def test_the_tree_is_by_descent_then_by_year() -> None:
    found = [(generation, card.name) for generation, card in family.tree()]
    assert found == [(0, "older"), (0, "root"), (1, "early"), (2, "grand"), (1, "late")]


def test_an_unknown_game_is_refused() -> None:
    with pytest.raises(Refusal, match="did you mean 'grand'"):
        family.card("gran")
