"""Which class a picture is of, told in a millisecond: to look at a run while it trains."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.features.random_conv import RandomConv

SIDE = 16  # pixels to which pictures are taken: larger ones take longer and are told little better
RIDGE = 30.0  # to the squares of the weights, beside a sum over some thousand pictures
SURE = 0.5  # of one class, where 1 is certain: less is no witness
PRECISE = 0.7  # share of those told as a class that must be of it
RAREST = 0.05  # share of all that are told, below which a class is not followed
FEWEST = 50  # pictures told, without which nobody knows the shares


class Namer:
    """Ridge regression from a random convolution's features to one-hot classes (Hoerl and Kennard 1970).

    x: pictures [n, C, H, W] in [-1, 1]; y: their classes, int64 [n]. Learnt from three quarters of them; on the last
    quarter it is tried which classes can be told: those are followed. `followed`, by code: the share of the told
    pictures that are told as this class, and the share that are told as it and are of another.
    """

    def __init__(self, x: Tensor, y: Tensor):
        self._net = RandomConv()
        split = max(1, 3 * len(x) // 4)
        features, wanted = self._features(x), F.one_hot(y).float()
        self._mean, self._deviation = features[:split].mean(0), features[:split].std(0, correction=0).clamp(min=1e-6)
        known, self._usual = self._scaled(features[:split]), wanted[:split].mean(0)
        gram = known.T @ known + RIDGE * torch.eye(known.shape[1])
        self._weights = torch.linalg.solve(gram, known.T @ (wanted[:split] - self._usual))
        self.followed = self._tried(self._told(features[split:]), y[split:])

    def told(self, x: Tensor) -> Tensor:
        """The class of each picture, int64 [n]; -1 where none is sure."""
        return self._told(self._features(x))

    def shares(self, x: Tensor) -> tuple[list[float], int]:
        """For each followed class, how often pictures x are told as it over how often the data's are, mistakes taken
        off both; and how many of x were told."""
        told = self.told(x)
        num = int((told >= 0).sum())
        made = {c: (told == c).sum().item() / max(1, num) for c in self.followed}
        return [max(0.0, made[c] - false) / (share - false) for c, (share, false) in self.followed.items()], num

    def _features(self, x: Tensor) -> Tensor:
        return self._net.features(small(x))

    def _scaled(self, features: Tensor) -> Tensor:
        return (features - self._mean) / self._deviation

    def _told(self, features: Tensor) -> Tensor:
        sure, told = (self._scaled(features) @ self._weights + self._usual).max(1)
        return torch.where(sure > SURE, told, -1)

    def _tried(self, told: Tensor, truth: Tensor) -> dict[int, tuple[float, float]]:
        num, found = int((told >= 0).sum()), {}
        for c in range(self._weights.shape[1] if num >= FEWEST else 0):
            said = told == c
            share, false = said.sum().item() / num, (said & (truth != c)).sum().item() / num
            if share > RAREST and false < (1 - PRECISE) * share:
                found[c] = (share, false)
        return found if len(found) > 1 else {}


def small(x: Tensor) -> Tensor:
    """Pictures as a `Namer` sees them, float32 [n, C, 16, 16]; those of this size stay as they are."""
    return F.interpolate(x.float().cpu(), size=(SIDE, SIDE), mode="area")
