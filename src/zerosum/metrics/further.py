"""The scores beyond the panel's, by name: each says what it found, or why it cannot say anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from torch import Tensor

from zerosum.core.batch import Source
from zerosum.core.errors import Refusal, nearest
from zerosum.core.pictures import from_uint8
from zerosum.features import efficientnet, inception, lpips
from zerosum.metrics.classes import Labelled, class_shares
from zerosum.metrics.coverage import K
from zerosum.metrics.diversity import PAIRS, diversity
from zerosum.metrics.frechet import enough_for_frechet, frechet
from zerosum.metrics.gallery import BATCH, Eyes, Gallery, chosen, drawn
from zerosum.metrics.kid import SMALLEST
from zerosum.metrics.memorisation import Relatives, duplicates, nearness, relatives
from zerosum.metrics.names import MORE
from zerosum.metrics.panel import Panel
from zerosum.metrics.prdc import halves, prdc

TRAIN = 20_000  # training pictures among which copies are looked for
DUPLICATES = 5_000  # made pictures among which duplicates are looked for
SHOWN = 16  # nearest pairs


class Further:
    """Scores of made pictures, uint8 [m, H, W, C], against a panel's source; `score` takes them by name.

    Whatever the panel has looked at is not looked at again; all that is seen of real pictures is cached.
    """

    def __init__(self, panel: Panel, pixels: np.ndarray, made: Gallery | None = None):
        self.panel, self.pixels = panel, pixels
        self.made = panel.gallery(pixels) if made is None else made
        self.near: Relatives | None = None  # the made pictures' nearest training pictures, once looked for
        self._efficientnet = panel.judges.get("kid")

    def score(self, names: Sequence[str] = MORE) -> dict[str, dict]:
        """Each score's plain values, or {"refused": the reason}. Raises Refusal for a name that is none."""
        found: dict[str, dict] = {}
        for name in names:
            if name not in MORE:
                raise Refusal(f"no score '{name}'{nearest(name, MORE)}")
            try:
                found[name] = getattr(self, name)()
            except Refusal as refusal:
                found[name] = {"refused": str(refusal)}
        return found

    def fid(self) -> dict:
        """{"value", "n", "n_real", "floor", "pca_gaussian", "features"}: the floor is that of held-out pictures or of
        halves, None where there are too few."""
        num, panel = len(self.pixels), self.panel
        enough_for_frechet(num, "what is to be scored")
        enough_for_frechet(panel.n, panel.source.name)
        eyes = inception.load(device=panel.device, bf16=False)  # bfloat16 moves FID by about 0.4 %
        made, real, baseline = (gallery.seen(eyes) for gallery in (self.made, panel.real, panel.baseline))
        return {
            "value": frechet(made, real),
            "n": num,
            "n_real": panel.n,
            "floor": self._fid_floor(eyes),
            "pca_gaussian": frechet(baseline, real),
            "features": eyes.key,
        }

    def _fid_floor(self, eyes: Eyes) -> float | None:
        panel = self.panel
        real = panel.real.seen(eyes)
        for one, other in ((panel.unseen.seen(eyes) if panel.unseen else None, real), _halved(real)):
            if one is not None and _is_enough(one):
                return frechet(one, other)
        return None

    def prdc(self) -> dict:
        """{"n", "precision", "recall", "density", "coverage": {"value", "ceiling"}}: the ceiling is what one half of
        the reference reaches against the other."""
        eyes, panel = self._semantic(), self.panel
        num = min(len(self.pixels), panel.n // 2)
        if num < SMALLEST:
            raise Refusal(f"{panel.source.name} gives halves of {num} pictures. Wanted at least {SMALLEST} in each.")
        real = panel.real.seen(eyes)
        found, top = asdict(prdc(self.made.seen(eyes)[:num], real[:num])), asdict(halves(real, num))
        return {"n": num, "k": K} | {name: {"value": found[name], "ceiling": top[name]} for name in found}

    def memorisation(self) -> dict:
        """{"thumbnails": {"effect", "p", "close"}, "efficientnet": {the same}, "duplicates": {"pairs", "expected",
        "support"}, "n_train", "train", "n_heldout", "copies", "text", "pairs": [{"made", "train", "mirrored",
        "distance"}]}: the pairs are the nearest to EfficientNet, `made` and `train` the pictures' numbers."""
        panel = self.panel
        if panel.heldout is None:
            raise Refusal(
                f"{panel.source.name} holds back {_num_heldout(panel.source)}, wanted {SMALLEST}: what it means to lie "
                "near to the training pictures cannot be told without some that were not trained on. About a "
                f"tenth is held back, by chance: of {12 * SMALLEST} pictures it is mostly enough."
            )
        train = drawn(panel.source, TRAIN, panel.seed, panel.watch)
        unseen = drawn(panel.heldout, TRAIN, panel.seed, panel.watch)
        judges: dict[str, Eyes] = {"thumbnails": panel.thumbnails, "efficientnet": self._semantic()}
        found = {}
        for name, eyes in judges.items():
            near, far = (_relatives(gallery, eyes, train) for gallery in (self.made, unseen))
            found[name] = nearness(near.distances, far.distances)
        self.near = near
        double = duplicates(self.made.seen(panel.thumbnails)[:DUPLICATES], unseen.seen(panel.thumbnails)[:DUPLICATES])
        suspicious = [name for name in found if found[name].is_suspicious]
        result: dict = {name: asdict(found[name]) for name in found}
        result |= {
            "duplicates": asdict(double),
            "n_heldout": len(far.distances),
            "n_train": min(TRAIN, len(panel.source)),
        }
        return result | {"copies": len(suspicious) == len(found), "text": _told(suspicious), "pairs": self._pairs(near)}

    def _pairs(self, near: Relatives) -> list[dict]:
        numbers = chosen(self.panel.source, TRAIN, self.panel.seed)
        return [
            {
                "made": int(i),
                "train": int(numbers[near.numbers[i]]),
                "mirrored": bool(near.mirrored[i]),
                "distance": float(near.distances[i]),
            }
            for i in near.distances.argsort(stable=True)[:SHOWN]
        ]

    def classes(self) -> dict:
        """By attribute {"accuracy", "chance", "real", "made", "missing", "unknown", "distance"}, or {"refused"}."""
        attributes = self.panel.source.shape.attributes
        if not attributes:
            raise Refusal(
                f"{self.panel.source.name} carries no labels. Put the pictures into a folder a class, or add a "
                "labels.csv."
            )
        train, test, codes, test_codes = self._labelled()
        made = self.made.seen(self._semantic()).numpy()
        found: dict[str, dict] = {}
        for i, attribute in enumerate(attributes):
            try:
                told = class_shares(
                    Labelled(train, codes[:, i]), Labelled(test, test_codes[:, i]), made, attribute.classes
                )
                found[attribute.name] = asdict(told) | {"distance": told.distance}
            except Refusal as refusal:
                found[attribute.name] = {"refused": str(refusal)}
        return found

    def _labelled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Features to train and to try a classifier on, and the codes of both; tried on held-out pictures, or on a
        quarter of the reference."""
        panel, eyes = self.panel, self._semantic()
        seen, codes = panel.real.seen(eyes).numpy(), _codes(panel.source, panel.n, panel.seed)
        if panel.heldout is not None and panel.unseen is not None:
            return seen, panel.unseen.seen(eyes).numpy(), codes, _codes(panel.heldout, panel.n, panel.seed)
        cut = len(seen) * 3 // 4
        return seen[:cut], seen[cut:], codes[:cut], codes[cut:]

    def diversity(self) -> dict:
        """{"value", "low", "high", "real": {the same}, "pairs"}: mean LPIPS between random pairs."""
        num = min(len(self.pixels), self.panel.n, 2 * PAIRS) // 2 * 2
        distance = lpips.load(device=self.panel.device)
        indices = chosen(self.panel.source, self.panel.n, self.panel.seed)[:num]
        made, real = from_uint8(self.pixels[:num]), self.panel.source.batch(indices).x  # type: ignore[attr-defined]
        found, wanted = diversity(distance, made), diversity(distance, real)
        return asdict(found) | {"real": asdict(wanted), "pairs": num // 2}

    def _semantic(self) -> Eyes:
        """EfficientNet, also where it is not among the panel's judges."""
        if self._efficientnet is None:
            self._efficientnet = efficientnet.load(device=self.panel.device)
        return self._efficientnet


def _relatives(gallery: Gallery, eyes: Eyes, train: Gallery) -> Relatives:
    return relatives(gallery.seen(eyes), gallery.mirrored().seen(eyes), train.seen(eyes))


def _num_heldout(source: Source) -> str:
    """ "15 of 150 pictures"."""
    heldout = source.heldout()
    num = len(heldout) if heldout is not None else 0
    return f"{num} of {len(source) + num} pictures"


def _told(suspicious: Sequence[str]) -> str:
    if len(suspicious) == 2:
        return (
            "Nearer to training pictures than pictures that were held back, in pixels and to the ImageNet network: "
            "it has memorised some, or makes only the commonest. Look at the nearest pairs."
        )
    if suspicious:
        where = "in pixels" if suspicious[0] == "thumbnails" else "to the ImageNet network"
        return f"Nearer to training pictures than those held back only {where}: as blurred or plain pictures are, too."
    return "No nearer to training pictures than pictures that were held back: no sign of copies."


def _codes(source: Source, n: int, seed: int) -> np.ndarray:
    """The labels of the pictures that `chosen` names, int64 [n, attributes]."""
    indices = chosen(source, n, seed)
    batches = (source.batch(indices[i : i + BATCH]) for i in range(0, len(indices), BATCH))
    return np.concatenate([batch.y.numpy() for batch in batches])  # type: ignore[attr-defined]


def _halved(real: Tensor) -> tuple[Tensor, Tensor]:
    middle = len(real) // 2
    return real[:middle], real[middle:]


def _is_enough(seen: Tensor) -> bool:
    try:
        enough_for_frechet(len(seen), "")
    except Refusal:
        return False
    return True
