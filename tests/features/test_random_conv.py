import pytest
import torch
from torch.nn import functional as F

from tests.metrics.made_up import scenes
from zerosum.core.pictures import from_uint8, to_uint8
from zerosum.features.random_conv import RandomConv
from zerosum.metrics.interval import Interval
from zerosum.metrics.kid import kid

SUMS = [1140.78, 3553.37, 4157.95]
RAMP = [1.531107, 0.503217, 0.835963, 0.728646]


def of_256_levels(x: torch.Tensor) -> torch.Tensor:
    return from_uint8(to_uint8(x))


def blurred(x: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)


def aliased(x: torch.Tensor) -> torch.Tensor:
    """To three quarters by picking pixels, and back: the classic mistake."""
    return F.interpolate(F.interpolate(x, scale_factor=0.75, mode="nearest"), size=x.shape[2:], mode="bilinear")


def noisy(x: torch.Tensor, sigma: float = 0.15) -> torch.Tensor:
    return x + sigma * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))


def warm(x: torch.Tensor) -> torch.Tensor:
    return x + torch.tensor([0.3, 0.0, -0.3]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def net() -> RandomConv:
    return RandomConv()


@pytest.fixture(scope="module")
def real() -> torch.Tensor:
    return from_uint8(scenes(400, seed=1))


def judged(net: RandomConv, made: torch.Tensor, real: torch.Tensor) -> Interval:
    return kid(net.features(of_256_levels(made)), net.features(real))


def test_the_weights_never_change(net: RandomConv) -> None:
    sums = [round(weight.double().abs().sum().item(), 2) for weight in net.weights]
    assert sums == SUMS
    ramp = torch.linspace(-1, 1, 3 * 16 * 16).view(1, 3, 16, 16)
    assert net.features(ramp)[0, [0, 48, 200, 351]].tolist() == pytest.approx(RAMP, rel=1e-4)


def test_other_pictures_of_the_kind_are_near(net: RandomConv, real: torch.Tensor) -> None:
    found = judged(net, from_uint8(scenes(400, seed=2)), real)
    assert found.low < 0 < found.high


@pytest.mark.parametrize("harm", [blurred, aliased, noisy, warm])
def test_it_notices(net: RandomConv, real: torch.Tensor, harm) -> None:
    """Harm that leaves it plain what is to be seen."""
    assert judged(net, harm(from_uint8(scenes(400, seed=2))), real).low > 0


def test_more_harm_is_a_higher_score(net: RandomConv, real: torch.Tensor) -> None:
    made = from_uint8(scenes(400, seed=2))
    noise = [judged(net, noisy(made, sigma), real).value for sigma in (0.1, 0.2, 0.4)]
    blur = [judged(net, x, real).value for x in (blurred(made), blurred(blurred(blurred(made))))]
    assert noise == sorted(noise)
    assert blur == sorted(blur)


def test_batches_do_not_matter(net: RandomConv, real: torch.Tensor) -> None:
    whole = net.features(real[:20])
    torch.testing.assert_close(torch.cat([net.features(x) for x in real[:20].split(3)]), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (2, 9, 4), (4, 64, 48)])
def test_any_picture(net: RandomConv, channels: int, height: int, width: int) -> None:
    seen = net.features(torch.zeros(2, channels, height, width))
    assert seen.shape == (2, net.dim)
    assert seen.isfinite().all()
