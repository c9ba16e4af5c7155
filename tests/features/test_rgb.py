import torch

from zerosum.features.rgb import to_rgb


def test_grey_is_repeated() -> None:
    grey = torch.rand(2, 1, 3, 5)
    assert torch.equal(to_rgb(grey), torch.cat([grey] * 3, 1))


def test_rgb_stays() -> None:
    x = torch.rand(2, 3, 3, 5)
    assert to_rgb(x) is x


def test_transparency_lies_on_white() -> None:
    red = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1)
    for alpha, wanted in ((-1.0, [1, 1, 1]), (0.0, [1, 0, 0]), (1.0, [1, -1, -1])):
        assert to_rgb(torch.cat([red, torch.full((1, 1, 1, 1), alpha)], 1)).flatten().tolist() == wanted
    grey_alpha = torch.tensor([-1.0, 0.0]).view(1, 2, 1, 1)
    assert to_rgb(grey_alpha).flatten().tolist() == [0, 0, 0]
