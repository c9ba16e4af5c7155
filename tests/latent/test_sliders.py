"""Directions from labels and without, on codes of which it is known what decides what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.latent.made_up import Linear, Styled, Z
from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal
from zerosum.latent.balance import balanced
from zerosum.latent.normals import contrasts, regression, slider, sliders_from_labels
from zerosum.latent.sliders import Slider, Sliders, Wish, off, orthonormal, stretched
from zerosum.latent.spaces import space_of
from zerosum.latent.unnamed import closed_form, principal

N = 3000


def angle(a: Tensor, b: Tensor) -> float:
    """The cosine."""
    return torch.cosine_similarity(a, b, dim=0).item()


def planted(seed: int = 0, tied: float = 0.8) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Codes [N, 8] in which number 0 decides whether there are glasses and number 1 whether there is a beard, which
    come together in a share `tied` of all."""
    random = np.random.default_rng(seed)
    beard = random.random(N) < 0.5
    glasses = np.where(random.random(N) < tied, beard, random.random(N) < 0.5)
    z = random.normal(size=(N, 8))
    z[:, 0] += np.where(glasses, 1.5, -1.5)
    z[:, 1] += np.where(beard, 1.5, -1.5)
    return torch.from_numpy(z).float(), glasses, beard


AXES = torch.eye(8)


def test_a_planted_direction_is_found() -> None:
    z, glasses, _ = planted(tied=0.0)
    found = slider("glasses", z, glasses)
    assert angle(found.step, AXES[0]) > 0.99
    assert found.step.norm().item() == pytest.approx(3.0, abs=0.15)
    assert found.told is not None
    assert found.told > 0.9
    at = found.position(z)
    assert at[glasses].mean().item() == pytest.approx(1, abs=1e-4)
    assert at[~glasses].mean().item() == pytest.approx(0, abs=1e-4)


def test_a_confounded_attribute_is_disentangled() -> None:
    z, glasses, beard = planted()
    difference = z[glasses].mean(0) - z[~glasses].mean(0)
    found = slider("glasses", z, glasses, {"beard": beard.astype(int)})
    assert angle(difference, AXES[1]) > 0.5, "the mean difference takes the beard along"
    assert abs(angle(found.step, AXES[1])) < 0.1
    assert angle(found.step, AXES[0]) > 0.97


def test_balanced_sides_differ_in_nothing_else() -> None:
    _, glasses, beard = planted()
    mood = np.where(beard, 0, np.arange(N) % 3)
    weights, tied = balanced(glasses, {"beard": beard.astype(int), "mood": mood})
    assert tied == []
    for codes in (beard.astype(int), mood):
        shares = [
            [weights[side & (codes == c)].sum() / weights[side].sum() for c in range(3)] for side in (glasses, ~glasses)
        ]
        assert shares[0] == pytest.approx(shares[1], abs=0.01)
    assert weights[glasses].sum() == pytest.approx(N / 2)


def test_what_an_attribute_consists_of_is_not_balanced() -> None:
    has = np.arange(100) % 2 == 0
    weights, tied = balanced(has, {"mood": np.where(has, 0, 1), "hat": np.arange(100) % 4 // 2})
    assert tied == ["mood"]
    assert (weights > 0).all()


def test_a_class_that_one_side_lacks_is_left_out() -> None:
    has = np.arange(100) % 2 == 0
    hat = np.where((np.arange(100) < 20) & ~has, 1, 0)
    weights, tied = balanced(has, {"hat": hat})
    assert tied == []
    assert (weights[hat == 1] == 0).all()
    assert weights[~has].sum() == pytest.approx(50)


def test_the_regression_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    z, glasses, _ = planted()
    x, weights = z.numpy()[:400].astype(float), np.random.default_rng(0).random(400)
    theirs = LogisticRegression(C=1 / (0.01 * weights.sum()), tol=1e-8, max_iter=1000)
    theirs.fit(x, glasses[:400], sample_weight=weights)
    assert regression(x, glasses[:400], weights, 0.01)[:-1] == pytest.approx(theirs.coef_[0], abs=1e-3)


def test_a_label_with_none_has_a_direction_for_any() -> None:
    attributes = (
        Attribute("glasses", ("none", "round", "dark")),
        Attribute("smile", ("no", "yes")),
        Attribute("hair", ("short", "long")),
    )
    names = [contrast.name for contrast in contrasts(attributes)]
    assert names == ["glasses", "glasses:round", "glasses:dark", "smile", "hair:short", "hair:long"]
    assert contrasts(attributes)[0].having == (1, 2)


def test_rare_attributes_are_marked_and_rarer_ones_left_out() -> None:
    z, _, _ = planted()
    y = np.zeros((N, 2), int)
    y[:30, 0], y[:5, 1] = 1, 1
    found = list(sliders_from_labels(z, y, (Attribute("a", ("no", "yes")), Attribute("b", ("no", "yes")))))
    assert isinstance(found[0], Slider)
    assert found[0].rare
    assert found[0].count == 30
    assert found[1] == "b: 5 with and 2995 without came; wanted 10 of both."


def test_unknown_labels_are_passed_over() -> None:
    z, glasses, _ = planted(tied=0.0)
    y = np.where(np.arange(N) < 1000, -1, glasses)[:, None]
    (found,) = sliders_from_labels(z, y, (Attribute("glasses", ("no", "yes")),))
    assert isinstance(found, Slider)
    assert found.count == glasses[1000:].sum()
    assert angle(found.step, AXES[0]) > 0.98


@pytest.fixture
def sliders() -> Sliders:
    found = Sliders("z", "abc")
    found.add(Slider("glasses", torch.tensor([2.0, 1.0, 0.0]), origin=-0.5))
    found.add(Slider("smile", torch.tensor([1.0, 1.0, 0.0]), stretch=2.0))
    found.add(Slider("hair length:long", torch.tensor([0.0, 1.0, 1.0]), rare=True, count=12, layers=(0, 1)))
    return found


def test_a_wish_moves_by_so_many_steps(sliders: Sliders) -> None:
    change = sliders.change(torch.zeros(2, 3), {"glasses": Wish(-0.5), "smile": Wish(1.0)})
    assert change.tolist() == [[1.0, 1.5, 0.0]] * 2


def test_an_absolute_wish_goes_there_from_wherever_it_is(sliders: Sliders) -> None:
    code = torch.randn(5, 3)
    moved = code + sliders.change(code, {"glasses": Wish(1.0, absolute=True)})
    assert sliders["glasses"].position(moved) == pytest.approx(torch.ones(5).numpy(), abs=1e-5)


def test_along_a_locked_direction_nothing_moves(sliders: Sliders) -> None:
    change = sliders.change(torch.zeros(1, 3), {"glasses": Wish(1.0)}, ["smile", "hair_length:long"])
    for name in ("smile", "hair length:long"):
        assert abs((change @ sliders[name].step).item()) < 1e-6
    left = off(sliders["glasses"].step, orthonormal([sliders["smile"].step])).norm().item()
    assert left == pytest.approx(0.5**0.5)  # (2, 1, 0) less its part along (1, 1, 0)
    assert sliders.left("glasses", ["smile"]) == pytest.approx(left / 5**0.5)
    assert sliders.left("glasses", ["glasses"]) < 1e-6


def test_what_is_locked_twice_over_is_locked_once() -> None:
    step = torch.tensor([1.0, 0.0])
    assert orthonormal([step, 2 * step]).shape == (1, 2)


def test_a_slider_of_some_layers_moves_these_alone(sliders: Sliders) -> None:
    change = sliders.change(torch.zeros(1, 2, 3), {"hair length:long": Wish(2.0)})
    assert change.tolist() == [[[0.0, 2.0, 2.0], [0.0, 0.0, 0.0]]]
    assert sliders.change(torch.zeros(1, 2, 3), {"glasses": Wish(1.0)}).tolist() == [[[2.0, 1.0, 0.0]] * 2]


def test_names_are_found_with_underscores_and_told_when_they_are_not(sliders: Sliders) -> None:
    assert sliders["hair_length:long"].name == "hair length:long"
    with pytest.raises(Refusal, match=r"choice of several\. Wanted one of them: hair length:long"):
        sliders["hair length"]
    with pytest.raises(Refusal, match="did you mean 'glasses'"):
        sliders["glases"]
    with pytest.raises(Refusal, match="changed and locked at once"):
        sliders.change(torch.zeros(1, 3), {"smile": Wish(1.0)}, ["smile"])


def test_what_is_saved_is_loaded(sliders: Sliders, tmp_path: Path) -> None:
    sliders.save(tmp_path / "d.safetensors")
    again = Sliders.load(tmp_path / "d.safetensors")
    assert (again.space, again.model, list(again.by_name)) == ("z", "abc", list(sliders.by_name))
    for name, kept in sliders.by_name.items():
        assert torch.equal(again[name].step, kept.step)
        for key in ("origin", "stretch", "count", "rare", "told", "layers", "arrives"):
            assert getattr(again[name], key) == getattr(kept, key)


@pytest.mark.parametrize("content", [b"", b"x" * 100, None])
def test_a_file_that_is_none_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "d.safetensors").write_bytes(content)
    with pytest.raises(Refusal, match=r"d\.safetensors"):
        Sliders.load(tmp_path / "d.safetensors")


def test_a_step_is_stretched_until_pictures_arrive() -> None:
    slider, codes = Slider("a", torch.tensor([1.0, 0.0])), torch.zeros(3, 2)
    halved = stretched(slider, codes, lambda moved: 0.5 * moved[:, 0].mean().item())
    assert (halved.stretch, halved.arrives) == (2.0, 1.0)
    stuck = stretched(slider, codes, lambda moved: 0.0)
    assert stuck.arrives == 0.0


def test_principal_directions_of_W_are_its_axes() -> None:
    """W is z times a diagonal that grows: the last number varies most."""
    found = principal(space_of(Styled(None)), 2)
    assert [slider.name for slider in found] == ["pca 1", "pca 2"]
    assert abs(found[0].step[Z - 1].item()) == pytest.approx(Z / 3, rel=0.1)
    assert abs(found[1].step[Z - 2].item()) == pytest.approx((Z - 1) / 3, rel=0.1)


def test_principal_directions_of_z_are_those_of_what_the_second_layer_sees() -> None:
    generator = Linear()
    generator.G = nn.Sequential(nn.Linear(Z, Z, bias=False), nn.Linear(Z, 192), nn.Unflatten(1, (3, 8, 8)))
    generator.G[0].weight.data = torch.diag(torch.tensor([1.0, 9.0, 1.0, 3.0, 1.0, 1.0]))
    first, second = principal(space_of(generator), 2)
    assert abs(first.step[1].item()) == pytest.approx(1, abs=0.1)
    assert abs(second.step[3].item()) == pytest.approx(1, abs=0.1)


def test_closed_form_is_the_first_layers_strongest_answer() -> None:
    generator = Linear()
    generator.G.get_submodule("first").weight.data[:, 2] *= 5
    generator.G.get_submodule("first").weight.data[:, 4] *= 3
    first, second = closed_form(space_of(generator), 2)
    assert abs(first.step[2].item()) == pytest.approx(1, abs=1e-4)
    assert abs(second.step[4].item()) == pytest.approx(1, abs=1e-4)


def test_closed_form_of_styles_takes_every_layer_that_is_given_them() -> None:
    generator = Styled(2)
    generator.B.weight.data[:, 1] *= 10
    (first,) = closed_form(space_of(generator), 1)
    assert abs(first.step[1].item()) / first.step.norm().item() == pytest.approx(1, abs=1e-3)


def test_a_generator_whose_layers_never_see_the_code_is_refused() -> None:
    class Bent(Linear):
        def forward(self, z: Tensor) -> Tensor:
            return self.G(z.tanh())

    with pytest.raises(Refusal, match="no layer takes its latents directly"):
        closed_form(space_of(Bent()), 1)


def test_who_is_where_a_wish_leads_stays_there() -> None:
    sliders = Sliders("z")
    sliders.add(Slider("glasses", torch.tensor([2.0, 0.0]), origin=-0.3, stretch=2.5))
    code = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    there = code + sliders.change(code, {"glasses": Wish(1.0, absolute=True)})
    assert torch.allclose(sliders.change(there, {"glasses": Wish(1.0, absolute=True)}), torch.zeros(4, 2), atol=1e-5)
    further = sliders.change(there, {"glasses": Wish(1.0)})
    assert torch.allclose(further, sliders.change(there, {"glasses": Wish(2.0, absolute=True)}), atol=1e-5)
