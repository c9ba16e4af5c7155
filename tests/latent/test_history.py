"""Undo, redo and branches come back to the bit; what the model cannot make is carried over; the word on a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.latent.made_up import Distance, Linear
from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal
from zerosum.core.pictures import from_uint8, to_uint8
from zerosum.latent.fidelity import Fidelity, fidelities, psnr, verdict
from zerosum.latent.history import History
from zerosum.latent.residual import composite
from zerosum.latent.teller import Teller


@pytest.fixture
def history() -> History:
    """Two edits, the second taken back, and another in its place: 0 - 1 - 2, 1 - 3."""
    torch.manual_seed(0)
    found = History.of(torch.randn(2, 7), "model", "w", "picture")
    for _ in range(2):
        found.edit(torch.randn(2, 7), ["glasses=+1"], ["smile"])
    found.undo()
    found.edit(torch.randn(2, 7) * 1e-3, ["hat=-0.3"], [])
    return found


def test_undo_and_redo_return_to_the_bit(history: History) -> None:
    codes = [history.code(state) for state in range(4)]
    assert history.at == 3
    history.undo(2)
    assert history.at == 0
    assert torch.equal(history.code(), codes[0])
    history.redo()
    assert torch.equal(history.code(), codes[1])
    history.redo()
    assert history.at == 3, "redo follows the branch that was undone"
    assert torch.equal(history.code(), codes[3])


def test_branches_stay(history: History) -> None:
    second = history.code(2)
    history.go(2)
    assert torch.equal(history.code(), second)
    assert history.path(3) == [1, 3]
    history.edit(torch.zeros(2, 7), [], [])
    assert history.path(4) == [1, 2, 4]


def test_a_history_comes_back_from_its_file_to_the_bit(history: History, tmp_path: Path) -> None:
    history.undo()
    history.save(tmp_path / "h.json")
    again = History.load(tmp_path / "h.json")
    assert again == history
    assert all(torch.equal(again.code(state), history.code(state)) for state in range(4))
    assert again.ahead == [3]


def test_it_is_small() -> None:
    code = torch.randn(128)
    record = json.dumps(History.of(code, "m", "z").start)
    assert len(record) < 14 * 128


def test_steps_that_there_are_not_are_refused(history: History) -> None:
    with pytest.raises(Refusal, match="only 2 edits"):
        history.undo(3)
    with pytest.raises(Refusal, match="only 0 edits were undone"):
        history.redo()
    with pytest.raises(Refusal, match="there are 0 to 3"):
        history.go(4)


@pytest.mark.parametrize("change", [{"at": 9}, {"edits": [{}]}, {"start": "x"}, {"format": 99}, {"shape": [3]}, None])
def test_a_file_that_makes_no_sense_is_refused(change: dict | None, history: History, tmp_path: Path) -> None:
    path = tmp_path / "h.json"
    history.save(path)
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text("{" if change is None else json.dumps(record | change), encoding="utf-8")
    with pytest.raises(Refusal, match=r"h\.json"):
        History.load(path)


def test_an_edit_that_loops_is_refused(history: History, tmp_path: Path) -> None:
    history.save(tmp_path / "h.json")
    record = json.loads((tmp_path / "h.json").read_text(encoding="utf-8"))
    record["edits"][0]["parent"] = 3
    (tmp_path / "h.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(Refusal, match="came after it"):
        History.load(tmp_path / "h.json")


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


def test_no_edit_is_no_change_to_the_bit() -> None:
    generator, z = Linear(), Linear().latents(2, seed=0)
    edited = composite(from_uint8(photo()), generator(z), generator(z.clone()))
    assert (to_uint8(edited) == photo()).all()


def test_an_edit_adds_what_it_changes_in_the_models_picture() -> None:
    x, before = torch.full((1, 3, 8, 8), 0.25), torch.full((1, 3, 8, 8), -0.5)
    assert torch.allclose(composite(x, before, before + 0.3), torch.full_like(x, 0.55))
    assert composite(x, before, before + 3).max() == 1


def test_outside_the_mask_nothing_changes_to_the_bit() -> None:
    x = from_uint8(photo())
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 4:] = 1
    after = torch.full_like(x, float("nan"))
    after[..., 4:] = 0.5
    edited = to_uint8(composite(x, torch.zeros_like(x), after, mask))
    assert (edited[:, :, :4] == photo()[:, :, :4]).all()
    assert (edited[:, :, 4:] != photo()[:, :, 4:]).any()


def test_psnr() -> None:
    x = torch.zeros(2, 3, 8, 8)
    assert psnr(x, x + torch.tensor([0.0, 0.2]).view(2, 1, 1, 1)).tolist() == pytest.approx([100, 20], abs=1e-3)
    (found,) = fidelities(x[:1], x[:1] + 0.2, Distance())  # type: ignore[arg-type]
    assert (found.psnr, found.lpips) == (pytest.approx(20, abs=1e-3), pytest.approx(0.04))


def test_what_is_redrawn_worse_than_nearly_all_is_imagined() -> None:
    others = [Fidelity(20, 0.01 * i) for i in range(1, 21)]
    good, bad = (verdict(Fidelity(20, value), others, "20 others") for value in (0.1, 0.21))
    assert (good.imagined, bad.imagined) == (False, True)
    assert good.beaten == pytest.approx(0.45)
    assert "imagined" in bad.says
    assert "20 others" in bad.says


def test_a_teller_learns_labels_and_keeps_silent_where_it_is_unsure() -> None:
    random = np.random.default_rng(0)
    x = torch.from_numpy(random.normal(size=(400, 3, 4, 4))).float()
    bright = x[:, 0].mean((1, 2)).numpy()
    attributes = (Attribute("bright", ("no", "yes")), Attribute("chance", ("no", "yes")), Attribute("one", ("a", "b")))
    y = np.column_stack([bright > 0, random.random(400) < 0.5, np.zeros(400)]).astype(int)
    teller = Teller(lambda pictures: pictures.mean((2, 3)), x[:300], y[:300], attributes)
    told = teller.told(x[300:])
    sure = told[:, 0] >= 0
    assert sure.mean() > 0.3
    assert (told[sure, 0] == y[300:][sure, 0]).mean() > 0.95
    assert (told[:, 1] < 0).mean() > 0.95
    assert (told[:, 2] == -1).all()
    with pytest.raises(Refusal, match="no label has two classes"):
        Teller(lambda pictures: pictures.mean((2, 3)), x, y[:, 2:], attributes[2:])
