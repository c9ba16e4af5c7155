"""Diversity: how different two pictures of a set look, on average, to a network that was fitted to people's eyes."""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.features.lpips import Lpips
from zerosum.metrics.interval import Interval

PAIRS = 500
CHUNK = 32
Z_QUANTILE = 1.96


def diversity(lpips: Lpips, x: Tensor) -> Interval:
    """Mean LPIPS (Zhang et al. 2018, arXiv 1801.03924) between pictures 2i and 2i + 1 of x, float [n, C, H, W] in
    [-1, 1], n from 4. No picture is in two pairs, so the pairs are independent and the interval is the mean's own."""
    parts = zip(x[0::2].split(CHUNK), x[1::2].split(CHUNK), strict=False)
    device = next(lpips.parameters()).device
    with torch.inference_mode():
        found = [lpips(a[: len(b)].to(device), b.to(device)).double().cpu() for a, b in parts]
    distances = torch.cat(found)
    mean, margin = distances.mean().item(), Z_QUANTILE * (distances.std() / len(distances) ** 0.5).item()
    return Interval(mean, mean - margin, mean + margin)
