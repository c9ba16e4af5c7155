"""The judges' table for one set of data: what is real, what chance allows, and what the simplest model reaches."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np
from torch import Tensor

from zerosum.core.batch import Images, Source
from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import save_json
from zerosum.features import efficientnet
from zerosum.features.random_conv import RandomConv
from zerosum.metrics import pca_gaussian
from zerosum.metrics.coverage import Thumbnails, ceiling, coverage
from zerosum.metrics.gallery import BATCH, Eyes, Gallery, Watch, cache_file, drawn, quantised, unwatched
from zerosum.metrics.interval import Interval
from zerosum.metrics.kid import SMALLEST, enough, kid
from zerosum.metrics.names import CALLED

Judge = Literal["efficientnet", "random"]
JUDGES: tuple[Judge, ...] = ("efficientnet", "random")
SCORE_OF: dict[str, str] = {"efficientnet": "kid", "random": "kid_random"}
COLLAPSED = 0.1  # of the coverage that real pictures reach


class Panel:
    """Scores pictures against a source: KID by two judges, coverage, and beside each what it must be compared with.

    n training pictures, drawn by `seed`, are the reference (all of them if there are fewer). The floor is the KID of
    held-out pictures; where there are fewer than 50 of those, that of one half of the reference against the other. The
    bar is PCA-Gaussian, fitted to the training pictures. What is seen of these is cached by the data's fingerprint,
    the weights, the preprocessing, n and seed, so that the second start takes no time.

    `judges` without "efficientnet" needs no weights; the scores then have no "kid". `watch` sees what is looked at.
    Raises Refusal if the source holds no pictures or fewer than 50, if there is no judge, and if the weights cannot be
    had.
    """

    def __init__(
        self,
        source: Source,
        n: int = 1000,
        seed: int = 0,
        device: str = "cpu",
        judges: Sequence[Judge] = JUDGES,
        watch: Watch = unwatched,
    ):
        if not issubclass(source.holds, Images):
            raise Refusal(f"the judges look at pictures; {source.name} holds {source.holds.called}.")
        self.n = min(n, len(source))
        enough(self.n, f"{source.name} ({len(source)} pictures)" if n > len(source) else source.name)
        self.source, self.seed, self.device, self.watch = source, seed, device, watch
        if not judges:
            raise Refusal(f"no judge is named. Wanted one or more of: {', '.join(JUDGES)}.")
        for judge in judges:
            if judge not in SCORE_OF:
                raise Refusal(f"no judge '{judge}'{nearest(judge, SCORE_OF)}")
        self.judges: dict[str, Eyes] = {SCORE_OF[judge]: _eyes(judge, device) for judge in judges}
        self.thumbnails = Thumbnails()
        heldout = source.heldout()
        self.heldout = heldout if heldout is not None and len(heldout) >= SMALLEST else None
        self.real = drawn(source, self.n, seed, watch)
        self.unseen = drawn(self.heldout, self.n, seed, watch) if self.heldout is not None else None
        self.baseline = Gallery(self._gaussian, ["pca-gaussian", source.fingerprint, self.n, seed])
        for gallery in (self.real, self.baseline, *([self.unseen] if self.unseen is not None else [])):
            gallery.show(*self.judges.values(), self.thumbnails)
        self.known = {name: self._known(eyes) for name, eyes in self.judges.items()}

    @property
    def floor_from(self) -> str:
        """What the floor was measured on, in words."""
        if self.heldout is None:
            return "halves of the reference"
        return f"{min(self.n, len(self.heldout))} held-out pictures"

    def gallery(self, pictures: np.ndarray | Iterable[Tensor]) -> Gallery:
        """Made pictures for `judge`, uint8 [m, H, W, C] or batches float [b, C, H, W] in [-1, 1].

        Raises Refusal, when they are looked at, for pictures of another shape than the data's.
        """
        num = len(pictures) if isinstance(pictures, np.ndarray) else 0
        return Gallery(lambda: self.watch(quantised(pictures, self.source), "made pictures", num))

    def score(self, pictures: np.ndarray | Iterable[Tensor]) -> dict:
        """Scores of made pictures, uint8 [m, H, W, C] or batches float [b, C, H, W] in [-1, 1], as plain values:

        {"n", "kid": {"value", "low", "high", "floor", "pca_gaussian"}, "kid_random": {the same},
        "coverage": {"value", "ceiling", "pca_gaussian"}, "reference": {"n", "floor"}, "verdict": {"ratio", "text"}}.
        KID is taken over all m pictures, coverage over the first min(m, n) against as many real ones. `ratio` is the
        worst of the scores, each as so many times worse than PCA-Gaussian's. Raises Refusal for fewer than 50 pictures
        and for pictures of another shape than the data's.
        """
        return self.judge(self.gallery(pictures))

    def judge(self, made: Gallery) -> dict:
        """The same of a gallery."""
        made.show(*self.judges.values(), self.thumbnails)
        num = len(made.seen(self.thumbnails))
        enough(num, "what is to be scored")
        kids = {name: kid(made.seen(eyes), self.real.seen(eyes)) for name, eyes in self.judges.items()}
        spread = self._coverage(made)
        result: dict = {"n": num}
        for name, found in kids.items():
            result[name] = asdict(found) | {which: k.value for which, k in self.known[name].items()}
        reference = {"n": self.n, "floor": self.floor_from}
        return {**result, "coverage": spread, "reference": reference, "verdict": verdict(num, kids, self.known, spread)}

    def _coverage(self, made: Gallery) -> dict[str, float]:
        seen, real, baseline = (gallery.seen(self.thumbnails) for gallery in (made, self.real, self.baseline))
        num = min(len(seen), self.n)  # coverage rises with the number of fakes: equal numbers, for PCA-Gaussian too
        return {
            "value": coverage(seen[:num], real[:num]),
            "ceiling": ceiling(num),
            "pca_gaussian": coverage(baseline[:num], real[:num]),
        }

    def _known(self, eyes: Eyes) -> dict[str, Interval]:
        """The KIDs of real pictures that are not in the reference, "floor", and of "pca_gaussian"; cached."""
        kept = cache_file([gallery.key for gallery in (self.real, self.unseen, self.baseline) if gallery] + [eyes.key])
        try:
            return {name: Interval(**values) for name, values in json.loads(kept.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, TypeError, AttributeError):  # not there, or damaged
            real = self.real.seen(eyes)
            floor = _halves(real) if self.unseen is None else kid(self.unseen.seen(eyes), real)
            found = {"floor": floor, "pca_gaussian": kid(self.baseline.seen(eyes), real)}
            save_json(kept, {name: asdict(value) for name, value in found.items()})
            return found

    def _gaussian(self) -> Iterable[Tensor]:
        made = pca_gaussian.fit(self.source, seed=self.seed).images(self.n, self.seed)
        return self.watch(quantised(made.split(BATCH), self.source), "PCA-Gaussian's", self.n)


def verdict(
    n: int, kids: Mapping[str, Interval], known: Mapping[str, Mapping[str, Interval]], spread: Mapping[str, float]
) -> dict:
    """{"ratio", "text"} from each judge's KID, what it is to be compared with ("floor", "pca_gaussian"), and coverage.

    The worst leads: two networks are not fooled by the same pictures, nor is coverage by a few good ones, so what one
    alone praises is not to be trusted. Each KID counts as a ratio to PCA-Gaussian's; where that is lost in its noise
    (the data are a Gaussian), its interval's half stands for it, as nothing smaller can be told from zero. Better is
    what is so by its whole interval. Coverage counts where it falls short of PCA-Gaussian's by more than two standard
    errors, or of a tenth of the ceiling.
    """
    bars = {name: _bar(known[name]["pca_gaussian"]) for name in kids}
    ratios = {name: kids[name].value / bars[name] for name in kids}
    beats = {name: kids[name].high < bars[name] for name in kids}
    if spread["value"] < _least(n, spread):
        ratios["coverage"], beats["coverage"] = _least(n, spread) / max(spread["value"], 0.5 / n), False
    worst, best = (pick(ratios, key=lambda name: ratios[name]) for pick in (max, min))
    told = {name: f"to {CALLED[name]} KID is {ratios[name]:.2f} times PCA-Gaussian's" for name in kids}
    told["coverage"] = _spread(n, spread)
    as_real = all(found.low <= known[name]["floor"].high for name, found in kids.items())
    if as_real and spread["value"] >= 0.9 * spread["ceiling"]:
        text = f"As good as real pictures that it never saw, as far as {n} pictures can tell."
    elif any(beats.values()) and ratios[worst] >= 1:
        others = [told[best], told["coverage"]] if worst != "coverage" else [told[name] for name in kids]
        text = f"The judges disagree, and the worst one leads: {told[worst]}; but {', '.join(others)}."
    else:
        better = "Not yet better than PCA-Gaussian"
        if any(beats.values()):
            better = (
                "Better than PCA-Gaussian"
                if all(beats.values())
                else "Better than PCA-Gaussian, though not for certain"
            )
        leader = max(kids, key=lambda name: ratios[name])
        text = f"{better}: {told[leader]}; {told['coverage']}."
    return {"ratio": ratios[worst], "text": text}


def _spread(n: int, spread: Mapping[str, float]) -> str:
    value, baseline = spread["value"], spread["pca_gaussian"]
    if value < COLLAPSED * spread["ceiling"]:
        return f"it hardly covers the data (coverage {value:.3f} of {spread['ceiling']:.2f}), it may have collapsed"
    if value < _least(n, spread):
        return f"it covers less of the data than PCA-Gaussian, {value:.2f} against {baseline:.2f}"
    return f"coverage {value:.2f} against PCA-Gaussian's {baseline:.2f}"


def _least(n: int, spread: Mapping[str, float]) -> float:
    """The coverage below which less is covered than by PCA-Gaussian."""
    share = spread["pca_gaussian"]
    return max(share - 2 * math.sqrt(share * (1 - share) / n), COLLAPSED * spread["ceiling"])


def _bar(baseline: Interval) -> float:
    return max(baseline.value, (baseline.high - baseline.low) / 2, 1e-12)


def _eyes(judge: Judge, device: str) -> Eyes:
    return RandomConv().to(device) if judge == "random" else efficientnet.load(device=device)


def _halves(features: Tensor) -> Interval:
    middle = len(features) // 2
    return kid(features[:middle], features[middle:])
