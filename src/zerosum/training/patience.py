"""When to stop: which snapshot to keep, whether more is to be expected, and how much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from zerosum.metrics.kid import T_QUANTILE

FEWEST = 4  # scored snapshots before anything is said
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
    """The standard error of `score`, from the leading judge's interval."""
    kids = [line[name] for name in ("kid", "kid_random") if name in line]
    leading = max(kids, key=lambda kid: kid["value"] / max(kid["pca_gaussian"], 1e-12))
    half = (leading["high"] - leading["low"]) / 2
    return abs(half / T_QUANTILE * score(line) / leading["value"]) if leading["value"] else math.inf


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
    if kept is None or len(scored) < FEWEST:
        name = kept["snapshot"] if kept else None
        return Outlook("early", name, None, "Too early to say whether more is to be expected.")
    gain, over = _gain(scored), scored[-1]["images"] >= BEYOND * kept["images"]
    if not over or (gain > WORTH and score(scored[-1]) <= score(kept)):
        text = f"Worth going on: as many images again would bring the score down by about {100 * max(gain, 0):.0f} %."
        return Outlook("going", kept["snapshot"], gain, text if gain > 0.005 else "Not over yet; little to expect.")
    since = f"nothing better since {kept['images']:,} images"
    if score(kept) < 1:
        return Outlook("done", kept["snapshot"], gain, f"Done: {since}.")
    return Outlook("stuck", kept["snapshot"], gain, f"Stuck: {since}, and it is not better than PCA-Gaussian.")


def _gain(scored: Sequence[dict[str, Any]]) -> float:
    """The share by which the score falls in a doubling of the images: the slope of log score against log images over
    the later half of the scores (learning curves are nearly straight there)."""
    later = scored[-max(FEWEST, len(scored) // 2) :]
    images = np.log([line["images"] for line in later])
    scores = np.log([max(score(line), 1e-6) for line in later])
    slope = np.polyfit(images, scores, 1)[0]
    return float(1 - 2**slope)
