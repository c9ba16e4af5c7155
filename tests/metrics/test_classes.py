import numpy as np
import pytest

from zerosum.core.errors import Refusal
from zerosum.metrics.classes import Labelled, class_shares

KINDS = ("apple", "pear", "plum")


def labelled(n: int, seed: int = 0, shares: tuple[float, ...] = (0.5, 0.3, 0.2), apart: float = 6) -> Labelled:
    rng = np.random.default_rng(seed)
    codes = rng.choice(len(shares), n, p=shares)
    return Labelled(rng.standard_normal((n, 10)) + apart * np.eye(10)[codes], codes)


def test_shares_and_the_class_that_is_missing() -> None:
    made = labelled(300, seed=2, shares=(0.7, 0.3, 0.0)).x
    found = class_shares(labelled(300), labelled(200, seed=1), made, KINDS)
    assert found.accuracy > 0.98
    assert 0.4 < found.chance < 0.6
    assert found.missing == ["plum"]
    assert found.unknown == []
    assert found.real["pear"] == pytest.approx(0.3, abs=0.1)
    assert found.made["apple"] == pytest.approx(0.7, abs=0.1)
    assert found.distance == pytest.approx(0.2, abs=0.1)


def test_more_dropped_classes_lie_further_off() -> None:
    distances = []
    for shares in ((0.5, 0.3, 0.2), (0.7, 0.3, 0.0), (1.0, 0.0, 0.0)):
        made = labelled(300, seed=2, shares=shares).x
        distances.append(class_shares(labelled(300), labelled(200, seed=1), made, KINDS).distance)
    assert distances == sorted(distances)
    assert distances[0] < 0.1


def test_what_too_few_are_expected_of_is_not_called_missing() -> None:
    made = labelled(30, seed=2, shares=(1.0, 0.0, 0.0)).x
    found = class_shares(labelled(300), labelled(200, seed=1), made, KINDS)
    assert "plum" in found.unknown
    assert "plum" not in found.missing


def test_a_classifier_that_guesses_is_not_believed() -> None:
    with pytest.raises(Refusal, match="guessing reaches"):
        class_shares(labelled(300, apart=0), labelled(200, seed=1, apart=0), labelled(50).x, KINDS)


def test_too_few_labels_are_refused() -> None:
    few = labelled(300)
    codes = np.where(few.y == 0, 0, -1)
    codes[few.y == 1] = np.where(np.arange((few.y == 1).sum()) < 9, 1, -1)
    with pytest.raises(Refusal, match="fewer than two of its 3 classes"):
        class_shares(Labelled(few.x, codes), labelled(100, seed=1), labelled(50).x, KINDS)
    blank = Labelled(few.x, np.full(300, -1))
    with pytest.raises(Refusal, match="no labelled pictures are left"):
        class_shares(few, blank, labelled(50).x, KINDS)
