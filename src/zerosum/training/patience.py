"""When to stop: which snapshot to keep, whether more is to be expected, and how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from zerosum.metrics.kid import T_QUANTILE
from zerosum.metrics.panel import COLLAPSED

HOPELESS = 1e6  # beyond any ratio
SOONEST = 5_000  # images before anything is said
FEWEST = {"done": 6, "stuck": 12}  # scored snapshots
BEYOND = {"done": 1.5, "stuck": 3.0}  # it is over before it has drawn so many times the images of its best snapshot


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
    """The worse judge's KID over PCA-Gaussian's: the lower the better. Pictures that have collapsed come after all that
    have not."""
    spread = line["coverage"]
    return _ratio(_leading(line)) + (HOPELESS if spread["value"] < COLLAPSED * spread["ceiling"] else 0)


def error(line: dict[str, Any]) -> float:
    """The standard error of `score`, from the interval of the KID that leads."""
    kid = _leading(line)
    return (kid["high"] - kid["low"]) / 2 / T_QUANTILE / max(kid["pca_gaussian"], 1e-12)


def _leading(line: dict[str, Any]) -> dict[str, float]:
    return max((line[name] for name in ("kid", "kid_random") if name in line), key=_ratio)


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
    kept, best = chosen(scored), min(scored, key=score, default=None)
    if kept is None or best is None or len(scored) < FEWEST["done"] or scored[-1]["images"] < SOONEST:
        name = kept["snapshot"] if kept else None
        return Outlook("early", name, None, "Too early to say whether more is to be expected.")
    gain, state = _gain(scored), "done" if best["verdict"]["ratio"] < 1 else "stuck"
    following = 2 * scored[-1]["images"] - scored[-2]["images"]
    if len(scored) < FEWEST[state] or following <= BEYOND[state] * best["images"]:
        return Outlook("going", kept["snapshot"], gain, _worth(gain))
    since = f"nothing better since {best['images']:,} images"
    if state == "done":
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
    later = scored[-max(FEWEST["done"], len(scored) // 2) :]
    images = np.log([line["images"] for line in later])
    scores = np.log([max(_ratio(_leading(line)), 1e-6) for line in later])
    slope = np.polyfit(images, scores, 1)[0]
    return float(1 - 2**slope)
