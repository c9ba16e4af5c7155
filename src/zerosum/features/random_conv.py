"""A seeded random convolution: the judge that was never trained, so that nothing can have been trained to fool it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.features.rgb import to_rgb

SEED = 20260
WIDTHS = (48, 64, 64)
GAIN = 4.0
STEEPNESS = 10.0
CHUNK = 16


class RandomConv(nn.Module):
    """Three levels of random filters at full, half and quarter size; features: each channel's mean and deviation.

    A level is a 5 x 5 (the first) or 3 x 3 convolution and a leaky ReLU; 2 x 2 averages lead to the next. Random
    filters tell textures apart nearly as well as trained ones (Ustyuzhaninov et al. 2017, arXiv 1606.00021). Half of
    the filters sum to zero and are amplified by GAIN: pictures hold little energy in fine detail, and without this the
    kernel would see colours alone. Means and deviations m are told as asinh(10 m) / 2, a scale that is logarithmic
    but for the smallest, lest a few contrasty pictures outweigh all others. (On fruit photographs, a colour cast of
    10 % then stands out of KID's interval three times as clearly, slight noise likewise.)

    It looks at pictures in their own size, as any resize hides what it is to notice: blur, noise, colour, aliasing.
    Where things lie in the picture it cannot tell; coverage's thumbnails can.

    The weights come from NumPy's PCG64, whose stream does not change between versions, and from SEED.
    """

    name = "random-conv"
    dim = 2 * sum(WIDTHS)

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(SEED)
        sizes = zip((3, *WIDTHS), WIDTHS, (5, 3, 3), strict=False)
        self.weights = nn.ParameterList(
            nn.Parameter(_filters(rng, c_in, c_out, kernel), requires_grad=False) for c_in, c_out, kernel in sizes
        )
        self.key = f"{self.name} {SEED} {WIDTHS} {GAIN} {STEEPNESS} own-size fp32"

    @torch.inference_mode()
    def features(self, x: Tensor) -> Tensor:
        """float32 [n, 352] on the CPU, of pictures x, float [n, 1 to 4 channels, H, W] in [-1, 1]; H, W from 4."""
        return torch.cat([self._described(part).cpu() for part in x.split(CHUNK)])

    def _described(self, x: Tensor) -> Tensor:
        x = to_rgb(x.to(self.weights[0].device)).contiguous(memory_format=torch.channels_last)
        found = []
        for level, weight in enumerate(self.weights):
            x = F.avg_pool2d(x, 2) if level else x
            margin = weight.shape[-1] // 2
            # The rim repeats itself outwards: zeros would be a grey frame around every picture.
            x = F.leaky_relu_(F.conv2d(F.pad(x, (margin,) * 4, mode="replicate"), weight), 0.2)
            deviation, mean = torch.std_mean(x.float(), (2, 3), correction=0)
            found += [mean, deviation]
        return torch.asinh(torch.cat(found, 1) * STEEPNESS) / 2


def _filters(rng: np.random.Generator, c_in: int, c_out: int, kernel: int) -> Tensor:
    """float32 [c_out, c_in, kernel, kernel], He's variance; the second half sums to zero over the window, amplified."""
    weight = rng.standard_normal((c_out, c_in, kernel, kernel)) * np.sqrt(2 / (c_in * kernel**2))
    fine = weight[c_out // 2 :]
    weight[c_out // 2 :] = GAIN * (fine - fine.mean((2, 3), keepdims=True))
    return torch.from_numpy(weight.astype(np.float32)).contiguous(memory_format=torch.channels_last)
