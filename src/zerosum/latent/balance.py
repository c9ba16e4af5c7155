"""Weights under which an attribute comes with no other: so that glasses do not mean a beard because men wear both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

FEWEST = 5  # of a class on each side, without which it cannot be balanced
ROUNDS = 20
LARGEST = 10.0  # weight, beside the mean of its side: a single picture shall not speak for hundreds


def balanced(has: np.ndarray, others: Mapping[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    """Weights, float64 [n], and the names of the labels that could not be balanced.

    has: bool [n]; others: the codes of each other label, int [n], of which those below 0, the unknown, are a class of
    their own. Each class of each of these becomes as frequent among those that have the attribute as among those that
    lack it, and both sides weigh n / 2: raking (Deming and Stephan 1940). A class that one side lacks is left out, with
    weight 0; a label that would so cost a side half its examples belongs to the attribute itself (who smiles is happy),
    and is not balanced.
    """
    kept, tied, raked = np.ones(len(has), bool), [], []
    for name, given in others.items():
        codes = given - min(0, given.min())
        shared = kept & np.isin(codes, [c for c in np.unique(codes) if _on_both_sides(codes == c, has, kept)])
        if any(shared[side].sum() < max(1, side.sum() / 2) for side in (has, ~has)):
            tied.append(name)
        else:
            kept = shared
            raked.append(codes)
    weights = kept.astype(float)
    for _ in range(ROUNDS):
        for codes in raked:
            _rake(weights, has, codes, kept)
    return _capped(weights, has), tied


def _on_both_sides(of_class: np.ndarray, has: np.ndarray, kept: np.ndarray) -> bool:
    return all((of_class & side & kept).sum() >= FEWEST for side in (has, ~has))


def _rake(weights: np.ndarray, has: np.ndarray, codes: np.ndarray, kept: np.ndarray) -> None:
    """Gives each class of one label its share of all, on both sides. Codes are from 0 on."""
    wanted = np.bincount(codes[kept], minlength=codes.max() + 1) / kept.sum()
    for side in (has, ~has):
        now = np.bincount(codes[side], weights[side], minlength=len(wanted))
        factor = wanted * weights[side].sum() / now.clip(min=1e-12)
        weights[side] *= factor[codes[side]]


def _capped(weights: np.ndarray, has: np.ndarray) -> np.ndarray:
    """Each side with sum n / 2, and no weight above LARGEST of its mean."""
    for side in (has, ~has):
        mean = weights[side].sum() / max(1, (weights[side] > 0).sum())
        weights[side] = weights[side].clip(max=LARGEST * mean)
        weights[side] *= len(has) / 2 / max(weights[side].sum(), 1e-12)
    return weights
