"""Class coverage: which of a person's own classes are made, and how often, as a classifier trained on them tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zerosum.core.errors import Refusal

FEWEST = 10  # examples that make a class; and expected pictures below which its absence says nothing
RARE = 0.1  # of a class's share among real pictures: what is made less often counts as missing
SURE = 0.01  # p below which a classifier's success is no luck


@dataclass(frozen=True)
class ClassShares:
    """A classifier's word on real and made pictures.

    accuracy on pictures that it never saw, and chance, what always guessing the commonest class would reach; real and
    made: each class's share of those pictures, as the classifier names them (its own errors lie on both sides);
    missing: the classes that are made less than a tenth as often as they are real; unknown: those that too few
    pictures are expected of.
    """

    accuracy: float
    chance: float
    real: dict[str, float]
    made: dict[str, float]
    missing: list[str]
    unknown: list[str]

    @property
    def distance(self) -> float:
        """Total variation between the shares: which share of the made pictures would have to change class."""
        return sum(abs(self.real[name] - self.made[name]) for name in self.real) / 2


@dataclass(frozen=True)
class Labelled:
    """Features [n, d] with the codes of one attribute, int64 [n]; below 0: unknown."""

    x: np.ndarray
    y: np.ndarray

    def only(self, codes: np.ndarray) -> Labelled:
        """Those of these codes."""
        kept = np.isin(self.y, codes)
        return Labelled(self.x[kept], self.y[kept])


def class_shares(train: Labelled, test: Labelled, made: np.ndarray, classes: Sequence[str]) -> ClassShares:
    """Trains a logistic regression on `train`, tries it on `test`, and lets it name the made pictures [m, d].

    Raises Refusal where fewer than two classes have enough examples, and where the classifier does no better than
    chance: then its word on made pictures is worth nothing.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = np.bincount(train.y[train.y >= 0], minlength=len(classes))
    codes = np.flatnonzero(counts >= FEWEST)
    if len(codes) < 2:
        raise Refusal(f"fewer than two of its {len(classes)} classes have {FEWEST} labelled pictures or more.")
    train, test = train.only(codes), test.only(codes)
    if len(test.y) == 0:
        raise Refusal("no labelled pictures are left to try the classifier on.")
    # Strongly regularised: there are about as many features as pictures.
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000)).fit(train.x, train.y)
    said = classifier.predict(test.x)
    accuracy, chance = _tried(said, test.y)
    real, fake = (_shares(named, codes, classes) for named in (said, classifier.predict(made)))
    judged = [name for name in real if real[name] * len(made) >= FEWEST]
    missing = [name for name in judged if fake[name] < RARE * real[name]]
    return ClassShares(accuracy, chance, real, fake, missing, [name for name in classes if name not in judged])


def _shares(named: np.ndarray, codes: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    return {classes[code]: float((named == code).mean()) for code in codes}


def _tried(said: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Accuracy and chance; raises Refusal unless the first is plainly above the second."""
    from scipy.stats import binomtest

    right, chance = int((said == truth).sum()), float(np.bincount(truth).max() / len(truth))
    if right == 0 or binomtest(right, len(truth), chance, "greater").pvalue >= SURE:
        raise Refusal(
            f"the classifier is right on {right / len(truth):.0%} of {len(truth)} pictures that it never saw, and "
            f"guessing reaches {chance:.0%}: its word on made pictures is worth nothing. More labels may help."
        )
    return right / len(truth), chance
