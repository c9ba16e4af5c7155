"""Any picture as red, green and blue, for networks that know nothing else."""

from torch import Tensor


def to_rgb(x: Tensor) -> Tensor:
    """float [n, 3, H, W] in [-1, 1] from x [n, C, H, W] in [-1, 1]: grey (C = 1), grey + alpha, RGB or RGBA.

    Grey is repeated. Transparency lies on white, the ground on which such pictures are mostly seen.
    """
    colour = x
    if x.shape[1] in (2, 4):
        alpha = (x[:, -1:] + 1) / 2
        colour = x[:, :-1] * alpha + (1 - alpha)
    return colour.expand(-1, 3, -1, -1) if colour.shape[1] == 1 else colour
