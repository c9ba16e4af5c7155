"""A classifier learnt from labelled pictures, which labels made ones: how labels come to the codes of any generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal

SURE = 0.7  # of one class, where 1 is certain: less is no label
SCARCE = 10  # pictures of a class, below which it is not learnt
RIDGE = 0.03  # C of scikit-learn's regression: there are about as many features as pictures


class Teller:
    """Logistic regressions, one a label, on the features of labelled pictures.

    features: from pictures, float [n, C, H, W] in [-1, 1], to numbers [n, d], such as `EfficientNet.features`.
    x: labelled pictures; y: their codes, int64 [n, A], below 0 where unknown. A class with too few is never told.
    Raises Refusal where no label has two classes that can be learnt.
    """

    def __init__(
        self, features: Callable[[Tensor], Tensor], x: Tensor, y: np.ndarray, attributes: Sequence[Attribute]
    ) -> None:
        self._features = features
        seen = self._seen(x)
        self._mean, self._deviation = seen.mean(0), seen.std(0).clip(min=1e-6)
        self._of = [self._learnt((seen - self._mean) / self._deviation, y[:, a]) for a in range(len(attributes))]
        if not any(self._of):
            raise Refusal(f"no label has two classes with {SCARCE} pictures each: nothing can be learnt from them.")

    def told(self, x: Tensor) -> np.ndarray:
        """The class of each label of pictures x, int64 codes [n, A]; -1 where it is not sure."""
        seen = (self._seen(x) - self._mean) / self._deviation
        found = np.full((len(x), len(self._of)), -1, np.int64)
        for a, net in enumerate(self._of):
            if net is not None:
                chances = net.predict_proba(seen)
                found[:, a] = np.where(chances.max(1) >= SURE, net.classes_[chances.argmax(1)], -1)
        return found

    def _seen(self, x: Tensor) -> np.ndarray:
        return self._features(x).float().cpu().numpy()

    @staticmethod
    def _learnt(seen: np.ndarray, y: np.ndarray):  # type: ignore[no-untyped-def]
        from sklearn.linear_model import LogisticRegression

        codes, counts = np.unique(y[y >= 0], return_counts=True)
        kept = np.isin(y, codes[counts >= SCARCE])
        if (counts >= SCARCE).sum() < 2:
            return None
        return LogisticRegression(C=RIDGE, max_iter=300).fit(seen[kept], y[kept])
