"""Inversion on generators whose latents are known."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import Blobs
from tests.contract.golden import LABELS
from tests.latent.made_up import SHAPE, Distance, Encoding, Linear, Styled, Z
from zerosum.core import catalog
from zerosum.core.errors import Refusal
from zerosum.core.generator import Generator, Header
from zerosum.core.labels import sizes
from zerosum.features import lpips
from zerosum.latent.descent import Descent, descend
from zerosum.latent.invert import invert
from zerosum.latent.spaces import space_of
from zerosum.latent.terms import in_domain, judged, near, pixels, prior, weighted
from zerosum.latent.way import Way

PLAIN = Way(loss="l2", prior=0.0)


def known(generator: Generator, n: int = 3, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Latents, and the pictures made of them."""
    z = generator.latents(n, seed)  # type: ignore[operator]
    return z, generator(z)


def test_by_optimisation_the_latents_are_found_again() -> None:
    z, x = known(Linear())
    found = invert(Linear(), x, dataclasses.replace(PLAIN, steps=150))
    assert (found.how, found.space) == ("optimise", "z")
    assert torch.allclose(found.code, z, atol=0.05)
    assert torch.allclose(found.picture, x, atol=0.01)


@pytest.mark.parametrize("loss", ["l1", "lpips", "sum"])
def test_each_likeness_leads_there(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips, "load", lambda net, **more: Distance())
    z, x = known(Linear(), 2)
    found = invert(Linear(), x, Way(loss=loss, prior=0.0, steps=200))  # type: ignore[arg-type]
    assert torch.allclose(found.code, z, atol=0.2)


def test_L_BFGS_finishes() -> None:
    z, x = known(Linear())
    rough = invert(Linear(), x, dataclasses.replace(PLAIN, steps=10))
    fine = invert(Linear(), x, dataclasses.replace(PLAIN, steps=10, finish=20))
    assert (rough.code - z).abs().max() > 0.05
    assert torch.allclose(fine.code, z, atol=1e-3)


def test_by_the_encoder_alone_it_is_what_the_encoder_says() -> None:
    z, x = known(Encoding())
    found = invert(Encoding(), x, Way(how="encoder"))
    assert torch.allclose(found.code, 0.8 * z, atol=1e-5)


def test_the_hybrid_goes_on_from_there_and_comes_nearer() -> None:
    z, x = known(Encoding())
    found = invert(Encoding(), x, Way(loss="l2", prior=0.0, domain=0.0))
    assert found.how == "hybrid"
    assert (found.code - z).norm() < 0.3 * (0.2 * z).norm()


def test_the_domain_pulls_to_where_the_encoder_finds_it_again() -> None:
    _, x = known(Encoding())
    free, held = (invert(Encoding(), x, Way(loss="l2", prior=0.0, domain=domain)).code for domain in (0.0, 10.0))
    assert held.norm() < free.norm()  # z - E(G(z)) = 0.2 z, which is least at 0


def test_the_prior_holds_a_picture_that_no_latent_makes() -> None:
    x = 20 * known(Linear())[1]
    free, held = (invert(Linear(), x, Way(loss="l2", prior=prior, steps=100)).code for prior in (0.0, 10.0))
    assert held.square().mean(1).max() < 2.5 < free.square().mean(1).max()


def test_more_starts_are_never_worse_and_the_best_is_kept() -> None:
    class Valley(Linear):
        """Its picture tells only how far z is from one of two hollows, one deeper."""

        def forward(self, z: Tensor) -> Tensor:
            near, far = (z[:, 0] - 1).square(), (z[:, 0] + 1).square() + 0.3
            return torch.minimum(near, far).clamp(max=1)[:, None, None, None].expand(-1, 3, 8, 8)

    x = torch.zeros(1, 3, 8, 8)
    one, many = (invert(Valley(), x, Way(loss="l2", prior=0, starts=n, steps=80)).picture for n in (1, 8))
    assert many.square().mean() <= one.square().mean() + 1e-6
    assert many.abs().max() < 0.1


def test_the_same_seed_finds_the_same() -> None:
    _, x = known(Linear())
    one, other = (invert(Linear(), x, dataclasses.replace(PLAIN, steps=5)).code for _ in range(2))
    assert torch.equal(one, other)


def test_no_row_depends_on_another() -> None:
    _, x = known(Encoding())
    together = invert(Encoding(), x, Way(loss="l2"))
    assert torch.allclose(invert(Encoding(), x[:1], Way(loss="l2")).code, together.code[:1], atol=1e-5)


@pytest.mark.parametrize(("space", "layers"), [("w", None), ("w", 2), ("w+", 2)])
def test_in_W_and_its_extension(space: str, layers: int | None) -> None:
    generator = Styled(layers)
    z, x = known(generator, 2)
    found = invert(generator, x, Way(loss="l2", prior=0.0, steps=300, space=space))  # type: ignore[arg-type]
    assert found.space == space
    assert found.code.shape == generator.map(z).shape
    assert torch.allclose(found.picture, x, atol=0.02)
    if space == "w":
        assert torch.allclose(found.code, generator.map(z), atol=0.1)


def test_in_Ws_coordinates_styles_lie_as_a_normal_does_and_come_back() -> None:
    space = space_of(Styled(None))
    u = space.drawn(2000, seed=3)
    assert torch.allclose(torch.cov(u.T), torch.eye(Z), atol=0.1)
    assert torch.allclose(space.coordinates(space.code(u)), u, atol=1e-4)
    assert space.improbable(u).mean() < space.improbable(3 * u).mean()


def test_a_conditional_generator_keeps_labels_among_its_latents() -> None:
    cgan = catalog.game("cgan")
    torch.manual_seed(0)
    generator = cgan(cgan.tiny, dataclasses.replace(Blobs(1).shape, attributes=LABELS)).generator().eval()
    found = invert(generator, generator(generator.latents(2, seed=3)).detach(), Way(loss="l2", steps=3))  # type: ignore[operator]
    labels = found.code[:, generator.z_dim :].split(sizes(LABELS), 1)
    assert all(torch.allclose(part.sum(1), torch.ones(2)) and (part >= 0).all() for part in labels)
    assert found.picture.shape == (2, 3, 32, 32)


@pytest.mark.parametrize("name", ["dcgan", "house", "vae", "ae", "cogan", "wgan_gp", "stylegan2", "progan"])
def test_any_game_of_pictures_that_samples_or_encodes(name: str) -> None:
    game = catalog.game(name)
    torch.manual_seed(0)
    generator = game(game.tiny, Blobs(1).shape).generator().eval()
    found = invert(generator, Blobs(2).batch(torch.arange(2).numpy()).x, Way(loss="l1", steps=2))  # type: ignore[arg-type]
    assert found.picture.shape == (2, 3, 32, 32)
    assert found.picture.isfinite().all()


def test_each_picture_of_a_couple_stays_in_its_domain() -> None:
    game = catalog.game("cogan")
    torch.manual_seed(0)
    generator = game(game.tiny, Blobs(1).shape).generator().eval()
    found = invert(generator, generator(generator.latents(2, seed=3)).detach(), Way(loss="l2", steps=20))  # type: ignore[operator]
    assert set(found.code[:, -1].tolist()) <= {0.0, 1.0}


def test_refusals() -> None:
    x = torch.zeros(1, 3, 8, 8)
    with pytest.raises(Refusal, match=r"mix has no encoder here\. Take --how optimise"):
        invert(Linear(), x, Way(how="hybrid"))
    with pytest.raises(Refusal, match="mix has no styles"):
        invert(Linear(), x, Way(space="w"))
    with pytest.raises(Refusal, match="one style for all layers"):
        invert(Styled(None), x, Way(space="w+"))
    with pytest.raises(Refusal, match=r"came as \[1, 3, 9, 9\]; wanted \[n, 3, 8, 8\]"):
        invert(Linear(), torch.zeros(1, 3, 9, 9))
    with pytest.raises(Refusal, match=r"came as torch\.uint8"):
        invert(Linear(), x.byte())
    with pytest.raises(Refusal, match="did you mean 'hybrid'"):
        Way(how="hybird")  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="makes no pictures from latents"):
        invert(Generator(Header("judge", {}, SHAPE)), x)


def test_terms_add_up_by_their_weights() -> None:
    space = space_of(Encoding(nn.Sequential(nn.Flatten(), nn.Linear(192, 1))))
    generator, u = space.generator, space.drawn(2, seed=0)
    picture = generator(u)
    from zerosum.latent.terms import Look

    look = Look(u, u, picture)
    terms = [pixels(torch.zeros_like(picture), 2), prior(space), near(u + 1), in_domain(generator), judged(generator)]
    alone = [term(look) for term in terms]
    total = weighted([(i + 1.0, term) for i, term in enumerate(terms)])(look)
    assert torch.allclose(total, sum((i + 1.0) * each for i, each in enumerate(alone)))  # type: ignore[arg-type]
    assert torch.allclose(alone[2], torch.ones(2))
    assert torch.allclose(alone[3], 0.04 * u.square().mean(1), atol=1e-6)
    with pytest.raises(Refusal, match="without a judge"):
        judged(Linear())


def test_a_stroke_counts_where_its_mask_is_alone() -> None:
    """What a brush will ask: the objective takes a constraint on a part, and the way from where it was."""
    space = space_of(Linear())
    z, x = known(Linear(), 1)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    painted = torch.where(mask > 0, -x, x)
    objective = weighted([(1.0, pixels(painted, 2, mask)), (0.001, near(z))])
    found = descend(space, objective, z, Descent(100, 0.1))
    error = (found.picture - painted).square()
    assert error[..., :4].mean() < 0.5 * (x - painted)[..., :4].square().mean()


def test_a_descent_never_ends_worse_than_it_began() -> None:
    space = space_of(Linear())
    z, x = known(Linear())
    found = descend(space, pixels(x, 2), z, Descent(20, 5.0))
    assert torch.equal(found.u, z)


def test_the_rate_warms_up_and_falls() -> None:
    descent = Descent(100, 1.0)
    rates = [descent.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert 0 < rates[-1] < 0.001
