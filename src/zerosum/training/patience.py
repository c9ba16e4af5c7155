"""When to stop: which snapshot to keep, whether more is to be expected, and how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from zerosum.metrics.kid import T_QUANTILE

FEWEST, SOONEST = 6, 5_000  # scored snapshots, and images, before anything is said
BEYOND = 1.4  # a run is over when it has gone on so many times beyond the snapshot that it keeps
WORTH = 0.05  # a gain over the next doubling, as a share, that is worth the time


@dataclass(frozen=True)
class Outlook:
    """What the scores so far say of the future.

    `state`: "done" (no more is to be expected, and it is better than PCA-Gaussian), "stuck" (no more is to be expected,
    and it is not), "going" (worth going on), "early" (too few scores). `chosen`: the snapshot to keep. `gain`: by what
    share the score is expected to fall if as many images again are drawn, as far as the last scores tell.
    """

    state: Literal["done", "stuck", "going", "early"]
    chosen: str | None
    gain: float | None
    text: str


def score(line: dict[str, Any]) -> float:
    """The worse judge's KID over PCA-Gaussian's: the lower the better."""
    return float(line["verdict"]["ratio"])


def error(line: dict[str, Any]) -> float:
    """The standard error of `score`, from the interval of the KID that leads, or from the share that coverage is."""
    kids = [line[name] for name in ("kid", "kid_random") if name in line]
    leading = max(kids, key=_ratio)
    if _ratio(leading) >= 0.999 * score(line):
        half = (leading["high"] - leading["low"]) / 2
        return abs(half / T_QUANTILE * score(line) / leading["value"])
    share, n = line["coverage"]["value"], line.get("n", 500)
    return score(line) * math.sqrt((1 - share) / max(share * n, 0.5))


def _ratio(kid: dict[str, float]) -> float:
    return kid["value"] / max(kid["pca_gaussian"], 1e-12)


def chosen(lines: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The earliest scored snapshot within one standard error of the best (Breiman et al. 1984, section 3.4.3: what
    cannot be told from the best is as good, and the earlier one has had less time to memorise)."""
    scored = [line for line in lines if "verdict" in line]
    if not scored:
        return None
    best = min(scored, key=score)
    bound = score(best) + error(best)
    return next(line for line in scored if score(line) <= bound)


def candidates(lines: Sequence[dict[str, Any]]) -> list[str]:
    """The snapshots that later scores may yet make the chosen one: those within two standard errors of the best."""
    scored = [line for line in lines if "verdict" in line]
    best = min(scored, key=score, default=None)
    return [line["snapshot"] for line in scored if best and score(line) <= score(best) + 2 * error(best)]


def outlook(lines: Sequence[dict[str, Any]]) -> Outlook:
    """What is to be expected, from the lines of metrics.jsonl."""
    scored = [line for line in lines if "verdict" in line]
    kept = chosen(scored)
    if kept is None or len(scored) < FEWEST or scored[-1]["images"] < SOONEST:
        name = kept["snapshot"] if kept else None
        return Outlook("early", name, None, "Too early to say whether more is to be expected.")
    gain, over = _gain(scored), scored[-1]["images"] >= BEYOND * kept["images"]
    if not over or gain > WORTH:
        return Outlook("going", kept["snapshot"], gain, _worth(gain))
    since = f"nothing better since {kept['images']:,} images"
    if score(kept) < 1:
        return Outlook("done", kept["snapshot"], gain, f"Done: {since}.")
    return Outlook("stuck", kept["snapshot"], gain, f"Stuck: {since}, and it is not better than PCA-Gaussian.")


def _worth(gain: float) -> str:
    if gain < 0.005:
        return "Not over yet; little to expect."
    about = "half or more" if gain > 0.5 else f"about {100 * gain:.0f} %"
    return f"Worth going on: as many images again would bring the score down by {about}, if it goes on like this."


def _gain(scored: Sequence[dict[str, Any]]) -> float:
    """The share by which the score falls in a doubling of the images: the slope of log score against log images over
    the later half of the scores (learning curves are nearly straight there)."""
    later = scored[-max(FEWEST, len(scored) // 2) :]
    images = np.log([line["images"] for line in later])
    scores = np.log([max(score(line), 1e-6) for line in later])
    slope = np.polyfit(images, scores, 1)[0]
    return float(1 - 2**slope)
