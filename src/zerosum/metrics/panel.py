"""The judges' table for one set of data: what is real, what chance allows, and what the simplest model reaches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from zerosum.core.batch import Images, Source
from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import cache_dir, digest, save_tensors
from zerosum.core.pictures import from_uint8, to_uint8
from zerosum.features import efficientnet
from zerosum.features.random_conv import RandomConv
from zerosum.metrics import pca_gaussian
from zerosum.metrics.coverage import Thumbnails, ceiling, coverage
from zerosum.metrics.kid import SMALLEST, Kid, enough, kid

Judge = Literal["efficientnet", "random"]
JUDGES: tuple[Judge, ...] = ("efficientnet", "random")
SCORE_OF: dict[str, str] = {"efficientnet": "kid", "random": "kid_random"}
CALLED = {"kid": "the ImageNet judge", "kid_random": "the untrained judge"}
BATCH = 256
FORMAT = 1  # of the cached features; a change of what is in them or of how they come about raises it


class Eyes(Protocol):
    """Turns pictures into features. `key` names the weights and all that is done to a picture before them."""

    key: str

    def features(self, x: Tensor) -> Tensor:
        """float32 [n, d] on the CPU from x, float [n, C, H, W] in [-1, 1]."""
        ...


@dataclass(frozen=True)
class Known:
    """What one pair of eyes saw of real pictures and of PCA-Gaussian, each float32 [n, d], and the KIDs of that."""

    real: Tensor
    baseline: Tensor
    kids: dict[str, Kid]  # "floor": of real pictures that are not in `real`; "pca_gaussian"; none for coverage


class Panel:
    """Scores pictures against a source: KID by two judges, coverage, and beside each what it must be compared with.

    n training pictures, drawn by `seed`, are the reference (all of them if there are fewer). The floor is the KID of
    held-out pictures; where there are fewer than 50 of those, that of one half of the reference against the other. The
    bar is PCA-Gaussian, fitted to the training pictures. What is seen of these is cached by the data's fingerprint,
    the weights, the preprocessing, n and seed, so that the second start takes no time.

    `judges` without "efficientnet" needs no weights; the scores then have no "kid".
    Raises Refusal if the source holds no pictures or fewer than 50, and if the weights cannot be had.
    """

    def __init__(
        self, source: Source, n: int = 1000, seed: int = 0, device: str = "cpu", judges: Sequence[Judge] = JUDGES
    ):
        if not issubclass(source.holds, Images):
            raise Refusal(f"the judges look at pictures; {source.name} holds {source.holds.called}.")
        self.n = min(n, len(source))
        enough(self.n, f"{source.name} ({len(source)} pictures)" if n > len(source) else source.name)
        self.source, self.seed = source, seed
        heldout = source.heldout()
        self.heldout = heldout if heldout is not None and len(heldout) >= SMALLEST else None
        for judge in judges:
            if judge not in SCORE_OF:
                raise Refusal(f"no judge '{judge}'{nearest(judge, SCORE_OF)}")
        self.eyes: dict[str, Eyes] = {SCORE_OF[judge]: _eyes(judge, device) for judge in judges}
        self.eyes["coverage"] = Thumbnails()
        self.known = self._known()

    @property
    def floor_from(self) -> str:
        """What the floor was measured on, in words."""
        if self.heldout is None:
            return "halves of the reference"
        return f"{min(self.n, len(self.heldout))} held-out pictures"

    def score(self, pictures: np.ndarray | Iterable[Tensor]) -> dict:
        """Scores of made pictures, uint8 [m, H, W, C] or batches float [b, C, H, W] in [-1, 1], as plain values:

        {"n", "kid": {"value", "low", "high", "floor", "pca_gaussian"}, "kid_random": {the same},
        "coverage": {"value", "ceiling", "pca_gaussian"}, "reference": {"n", "floor"}, "verdict": {"ratio", "text"}}.
        KID is taken over all m pictures, coverage over the first min(m, n) against as many real ones. `ratio` is the
        worse of the judges' KIDs, each divided by PCA-Gaussian's. Raises Refusal for fewer than 50 pictures and for
        pictures of another shape than the data's.
        """
        seen = _look(self.eyes, _quantised(pictures, self.source))
        num = len(seen["coverage"])
        enough(num, "what is to be scored")
        kids = {name: kid(seen[name], self.known[name].real) for name in self.eyes if name != "coverage"}
        spread = self._coverage(seen["coverage"])
        result: dict = {"n": num}
        for name, found in kids.items():
            result[name] = asdict(found) | {which: k.value for which, k in self.known[name].kids.items()}
        known = {name: self.known[name].kids for name in kids}
        reference = {"n": self.n, "floor": self.floor_from}
        return {**result, "coverage": spread, "reference": reference, "verdict": verdict(num, kids, known, spread)}

    def _coverage(self, seen: Tensor) -> dict[str, float]:
        known = self.known["coverage"]
        num = min(len(seen), self.n)  # coverage rises with the number of fakes: equal numbers, for PCA-Gaussian too
        real = known.real[:num]
        return {
            "value": coverage(seen[:num], real),
            "ceiling": ceiling(num),
            "pca_gaussian": coverage(known.baseline[:num], real),
        }

    def _known(self) -> dict[str, Known]:
        """From the cache, or by looking at the data, once for all eyes that have not seen it."""
        files = {name: self._file(eyes) for name, eyes in self.eyes.items()}
        known = {name: found for name, path in files.items() if (found := _read(path)) is not None}
        missing = {name: eyes for name, eyes in self.eyes.items() if name not in known}
        if missing:
            baseline = pca_gaussian.fit(self.source, seed=self.seed).images(self.n, self.seed)
            real = _look(missing, self._drawn(self.source))
            other = _look(missing, self._drawn(self.heldout)) if self.heldout is not None else None
            made = _look(missing, _quantised(baseline.split(BATCH), self.source))
            for name in missing:
                kids = {}
                if name != "coverage":
                    kids["floor"] = _halves(real[name]) if other is None else kid(other[name], real[name])
                    kids["pca_gaussian"] = kid(made[name], real[name])
                known[name] = Known(real[name], made[name], kids)
                _write(files[name], known[name])
        return known

    def _file(self, eyes: Eyes) -> Path:
        heldout = self.heldout.fingerprint if self.heldout is not None else None
        key = digest([FORMAT, self.source.fingerprint, heldout, eyes.key, self.n, self.seed])
        return cache_dir("features") / f"{key}.safetensors"

    def _drawn(self, source: Source) -> Iterator[Tensor]:
        """n random pictures (all, if there are fewer) in random order, as batches float [b, C, H, W] in [-1, 1]."""
        indices = np.random.default_rng(self.seed).choice(len(source), min(self.n, len(source)), replace=False)
        for start in range(0, len(indices), BATCH):
            yield source.batch(indices[start : start + BATCH]).x  # type: ignore[attr-defined]


def verdict(
    n: int, kids: Mapping[str, Kid], known: Mapping[str, Mapping[str, Kid]], spread: Mapping[str, float]
) -> dict:
    """{"ratio", "text"} from each judge's KID, what it is to be compared with ("floor", "pca_gaussian"), and coverage.

    The worse judge leads: two networks are not fooled by the same pictures, so a score that one alone praises is not
    to be trusted. Where PCA-Gaussian's own KID is lost in its noise (the data are a Gaussian), its interval's half
    stands for it, as nothing smaller can be told from zero.
    """
    ratios = {name: kids[name].value / _bar(known[name]["pca_gaussian"]) for name in kids}
    worst = max(ratios, key=lambda name: ratios[name])
    ratio = ratios[worst]
    share = spread["value"] / spread["ceiling"]
    if share >= 0.9 and all(kids[name].low <= known[name]["floor"].high for name in kids):
        text = f"As good as real pictures that it never saw, as far as {n} pictures can tell."
    elif min(ratios.values()) < 1 <= ratio:
        best = min(ratios, key=lambda name: ratios[name])
        text = (
            f"The judges disagree, and the worse one leads: to {CALLED[best]} KID is {ratios[best]:.2f} times "
            f"PCA-Gaussian's, to {CALLED[worst]} {ratio:.2f} times{_spread(share, spread)}."
        )
    else:
        better = "Better than PCA-Gaussian" if ratio < 1 else "Not yet better than PCA-Gaussian"
        text = f"{better}: KID is {ratio:.2f} times its, by {CALLED[worst]}{_spread(share, spread)}."
    return {"ratio": ratio, "text": text}


def _spread(share: float, spread: Mapping[str, float]) -> str:
    value, baseline = spread["value"], spread["pca_gaussian"]
    if share < 0.1:
        return f"; it hardly covers the data (coverage {value:.3f} of {spread['ceiling']:.2f}): it may have collapsed"
    if value < baseline:
        return f"; but it covers less of the data, {value:.2f} against {baseline:.2f}"
    return f"; coverage {value:.2f} against {baseline:.2f}"


def _bar(baseline: Kid) -> float:
    return max(baseline.value, (baseline.high - baseline.low) / 2, 1e-12)


def _eyes(judge: Judge, device: str) -> Eyes:
    return RandomConv().to(device) if judge == "random" else efficientnet.load(device=device)


def _halves(features: Tensor) -> Kid:
    middle = len(features) // 2
    return kid(features[:middle], features[middle:])


def _look(eyes: Mapping[str, Eyes], batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """What each pair of eyes sees, float32 [n, d], in one pass over the pictures."""
    seen: dict[str, list[Tensor]] = {name: [] for name in eyes}
    for x in batches:
        for name, one in eyes.items():
            seen[name].append(one.features(x))
    return {name: torch.cat(parts) if parts else torch.empty(0, 0) for name, parts in seen.items()}


def _quantised(pictures: np.ndarray | Iterable[Tensor], source: Source) -> Iterator[Tensor]:
    """Made pictures as batches float [b, C, H, W] in [-1, 1], of 256 levels as the real ones, of the source's shape."""
    shape = source.shape
    if isinstance(pictures, np.ndarray):
        batches: Iterable[np.ndarray] = (pictures[i : i + BATCH] for i in range(0, len(pictures), BATCH))
    else:
        batches = (to_uint8(x) for x in pictures)
    for pixels in batches:
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (shape.height, shape.width, shape.channels):
            raise Refusal(
                f"pictures of {pixels.dtype} {list(pixels.shape)} came; {source.name} holds {shape} (width x height x "
                "channels). Wanted uint8 [n, height, width, channels] of that size: a resized picture is judged as "
                "a blurred one."
            )
        yield from_uint8(pixels)


def _read(path: Path) -> Known | None:
    """What an earlier panel wrote; None where it is not there, or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            kids = {name: Kid(**values) for name, values in json.loads(file.metadata()["kids"]).items()}
            return Known(file.get_tensor("real"), file.get_tensor("baseline"), kids)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def _write(path: Path, known: Known) -> None:
    kids = json.dumps({name: asdict(found) for name, found in known.kids.items()})
    save_tensors(path, {"real": known.real, "baseline": known.baseline}, {"kids": kids})
