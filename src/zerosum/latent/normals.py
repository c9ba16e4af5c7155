"""Directions from labels: the normal of the plane that parts codes with an attribute from codes without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal
from zerosum.latent.balance import balanced
from zerosum.latent.sliders import Slider

NOTHING = {"none", "no", "without", "absent", "false", "0", "off"}  # classes that lack what a label is about
FEWEST = 10  # codes on a side, below which there is no direction
RARE = 50  # below which it is warned of
NEWTON, TINY = 50, 1e-7  # steps at most, and the change at which there are no more
RIDGE = 1.0  # weight of |normal|^2 / 2 beside the mean loss of a code, codes being standardised (see docs/latent.md)


@dataclass(frozen=True)
class Contrast:
    """An attribute to slide along: the number of its label, and the codes of the classes that have it."""

    name: str
    label: int
    having: tuple[int, ...]


def contrasts(attributes: Sequence[Attribute]) -> list[Contrast]:
    """What labels say: "glasses" for any against none, where there is a class for none; "glasses:sunglasses" for each
    class against all others, where there are several."""
    found = []
    for label, attribute in enumerate(attributes):
        having = [code for code, name in enumerate(attribute.classes) if name.lower() not in NOTHING]
        if 0 < len(having) < len(attribute.classes):
            found.append(Contrast(attribute.name, label, tuple(having)))
        if len(having) > 1:
            found += [Contrast(f"{attribute.name}:{attribute.classes[code]}", label, (code,)) for code in having]
    return found


def sliders_from_labels(
    codes: Tensor, y: np.ndarray, attributes: Sequence[Attribute], ridge: float = RIDGE
) -> Iterator[Slider | str]:
    """A slider for each contrast, or a sentence that says why there is none.

    codes: [n, d]; y: the labels' codes, int64 [n, A], below 0 where unknown.
    """
    for contrast in contrasts(attributes):
        known = y[:, contrast.label] >= 0
        has = np.isin(y[known, contrast.label], contrast.having)
        others = {a.name: y[known, i] for i, a in enumerate(attributes) if i != contrast.label}
        try:
            yield slider(contrast.name, codes[torch.from_numpy(known)], has, others, ridge)
        except Refusal as refusal:
            yield str(refusal)


def slider(
    name: str, codes: Tensor, has: np.ndarray, others: dict[str, np.ndarray] | None = None, ridge: float = RIDGE
) -> Slider:
    """The direction from codes [n, d] that lack an attribute to those that have it (has: bool [n]), with the labels
    `others` balanced (see `latent.balance`).

    The normal is a ridge logistic regression's. One step is from the mean of those without to the mean of those with,
    as far as these lie apart along it. Raises Refusal where either side has too few.
    """
    fewer = int(min(has.sum(), (~has).sum()))
    if fewer < FEWEST:
        raise Refusal(f"{name}: {int(has.sum())} with and {int((~has).sum())} without came; wanted {FEWEST} of both.")
    weights, _ = balanced(has, others or {})
    x = codes.double().numpy()
    normal = _normal(x, has, weights, ridge)
    ends = [float(np.average(x[side] @ normal, weights=weights[side])) for side in (~has, has)]
    length = ends[1] - ends[0]
    step = torch.from_numpy(length * normal).float()
    told = _told(x, has, weights, ridge)
    return Slider(name, step, ends[0] / length, count=int(has.sum()), rare=fewer < RARE, told=told)


def _normal(x: np.ndarray, has: np.ndarray, weights: np.ndarray, ridge: float) -> np.ndarray:
    """The unit normal, [d]."""
    mean, deviation = x.mean(0), x.std(0).clip(min=1e-6)
    normal = regression((x - mean) / deviation, has, weights, ridge)[:-1] / deviation
    return normal / max(np.linalg.norm(normal), 1e-12)


def _told(x: np.ndarray, has: np.ndarray, weights: np.ndarray, ridge: float) -> float:
    """Learnt on three quarters, how many of the last are told rightly, the mean of both sides."""
    unseen = np.random.default_rng(0).permutation(len(x)) % 4 == 3
    x = np.column_stack([(x - x.mean(0)) / x.std(0).clip(min=1e-6), np.ones(len(x))])
    b = regression(x[~unseen, :-1], has[~unseen], weights[~unseen], ridge)
    said = x[unseen] @ b > 0
    right = [np.mean(said[has[unseen] == side] == side) for side in (False, True) if (has[unseen] == side).any()]
    return float(np.mean(right))


def regression(x: np.ndarray, has: np.ndarray, weights: np.ndarray, ridge: float) -> np.ndarray:
    """Weighted logistic regression with ridge / 2 |b|^2 beside the mean loss: b, the intercept last, [d + 1].

    Newton's method, halving a step that leads up. It is much quicker than a library's solver for many dimensions.
    """
    x = np.column_stack([x, np.ones(len(x))])
    weights = weights / weights.sum()
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 1e-9

    def loss(b: np.ndarray) -> float:
        z = x @ b
        return float(weights @ (np.logaddexp(0, z) - has * z) + penalty @ b**2 / 2)

    b = np.zeros(x.shape[1])
    for _ in range(NEWTON):
        p = expit(x @ b)
        slope = x.T @ (weights * (p - has)) + penalty * b
        curve = (x * (weights * p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        while loss(b - step) > loss(b) and np.abs(step).max() > TINY:
            step = step / 2
        b = b - step
        if np.abs(step).max() <= TINY:
            break
    return b
