"""The rules by which a run is diagnosed: one function a fault, in the order of cause and consequence.

The limits were set on the battery's part `set` and are judged on its part `judged` (`zerosum bench diagnose`).
"""

from __future__ import annotations

import functools
import math
import shlex
from collections.abc import Callable
from typing import Any

import numpy as np

from zerosum.core.words import without
from zerosum.metrics.dimension import ERROR, latent
from zerosum.training.patience import SOONEST, outlook
from zerosum.training.record import Finding, Record, Severity
from zerosum.training.vitals import NUM

LOOKS = 4  # below so many looks only what is beyond doubt is said
ALIKE = 0.25  # difference of the made pictures, as a share of the real ones', below which they are alike
LATE = 20_000  # images before which a healthy generator may not have come to each class yet
TOLD = 300  # made pictures whose class is told: some fifteen are due to the rarest that is followed
POOR = 0.35  # coverage, as a share of what real pictures reach, below which a result is poor

Rule = Callable[[Record], Finding | None]


def overflow(record: Record) -> Finding | None:
    """Steps whose gradients were NaN or infinite: they were skipped."""
    skipped, slower = np.nan_to_num(record.series("skipped")), np.nan_to_num(record.series("slower"), nan=1.0)
    nonsense = record.series("finite")[-1:] == 0
    if not len(skipped) or (skipped[-1] < 3 and slower[-1] == 1 and not nonsense):
        return None
    times = round(-math.log2(slower[-1]))
    back = f", and the run went back {'once' if times == 1 else f'{times} times'}" if times else ""
    back += "; the pictures themselves are" if nonsense else ""
    return _finding(
        record,
        "overflow",
        "fault",
        f"{skipped[-1]:.0f} steps were NaN or infinite and were skipped{back}.",
        "Numbers grew beyond what the arithmetic holds: mostly a learning rate too high, at times bfloat16.",
        _command(record, "--precision fp32", rate=0.3),
        "skipped",
        since=record.since("skipped", lambda value: value > 0),
    )


def wrong_range(record: Record) -> Finding | None:
    """The data, or what the generator can make, do not span [-1, 1]."""
    low, high = record.data.get("low", -1.0), record.data.get("high", 1.0)
    if low < -1.02 or high > 1.02 or low > -0.1 or high < 0.1:
        says = f"The pictures' levels run from {low:.2f} to {high:.2f}; a generator that ends in tanh spans -1 to 1."
        return _finding(record, "wrong_range", "fault", says, _RANGE, "Give pictures as float in [-1, 1].")
    bottom, top = _levels(record, "levels"), _levels(record, "levels_real")
    if len(bottom) < LOOKS:
        return None
    made, real = np.median(bottom[-LOOKS:], 0), top[-1]
    if made[0] < -0.05 or made[-1] < 0.3 or real[1] > -0.3:  # the darkest hundredth, the brightest; the real tenth
        return None
    says = f"Made pictures have no level below 0, while a tenth of the real levels lie below {real[1]:.2f}."
    return _finding(record, "wrong_range", "fault", says, _RANGE, "Let the generator end in tanh, not in a sigmoid.")


_RANGE = "The discriminator tells real from made by the range of the levels alone, and nothing else is learnt."


def channels(record: Record) -> Finding | None:
    """Red, green and blue of the made pictures in another order than the data's."""
    found = record.recent("channels")
    if len(record.looks) < LOOKS or not found > 0.4 or record.recent("spread") < 0.3:
        return None
    says = (
        f"With their channels in another order the made pictures would come nearer to the data, by {100 * found:.0f} % "
        "of what that order takes real ones away."
    )
    why = "Somewhere pictures are read or written as blue, green, red."
    return _finding(record, "channels_swapped", "fault", says, why, "Look where pictures are converted.", "channels")


def rate_too_high(record: Record) -> Finding | None:
    """First steps that are large against the weights (later the weights have grown, and hide it)."""
    first = _first(record, "step.")
    if not (first > 0.08 or _first(record, "largest.") > 1) or not record.recent("coverage") < POOR:
        return None
    first = max(first, _first(record, "largest."))
    says = f"One of the first steps moved the weights by {100 * first:.0f} % of their length; 0.1 to 3 % is usual."
    why = "Such steps jump over what they look for: the pictures change wildly and get no better."
    return _finding(record, "rate_too_high", "fault", says, why, _command(record, rate=0.1), *_names(record, "step."))


def rate_too_low(record: Record) -> Finding | None:
    """Steps that are small against the weights, and pictures that stand still."""
    names = _names(record, "step.")
    steps = [record.recent(name) for name in names]
    if not steps or not max(steps) < 6e-4 or not _first(record, "step.") < 3e-3 or not record.recent("coverage") < POOR:
        return None
    says = f"Each step moves the weights by {100 * max(steps):.3f} % of their length; 0.1 to 3 % is usual."
    why = "At this rate the run would need many times the images."
    return _finding(record, "rate_too_low", "fault", says, why, _command(record, rate=30), *_names(record, "step."))


def _first(record: Record, prefix: str) -> float:
    """The largest that such numbers were in the first looks."""
    return max((np.nan_to_num(record.series(name)[:LOOKS]).max() for name in _names(record, prefix)), default=0.0)


def frozen(record: Record) -> Finding | None:
    """A player that no turn names, or that has its turns and does not move."""
    if len(record.looks) < LOOKS or record.series("skipped")[-1]:
        return None
    moves = record.info.get("moves", [])
    still = [
        name
        for name in record.info.get("parameters", {})
        if name not in moves or (record.recent(f"turns.{name}") > 0 and not record.recent(f"step.{name}") > 0)
    ]
    if not still:
        return None
    name = still[0]
    wins = "discriminator_wins" if name in record.info.get("makes", []) else "generator_wins"
    says = f"The weights of {name} do not move."
    why = "The other player learns to beat one opponent that never answers."
    return _finding(record, wins, "fault", says, why, f"See that {name} takes its turns, with a rate above 0.")


def too_little_data(record: Record) -> Finding | None:
    """So few pictures that the discriminator knows each by heart."""
    num = record.data.get("num", math.inf)
    if num >= 200:
        return None
    says = f"There are {num} pictures; some hundreds are the least, thousands are usual."
    why = "The discriminator soon knows each of them by heart, and the generator can only copy or guess."
    return _finding(record, "too_little_data", "warning", says, why, "Add pictures of the same kind.")


def duplicates(record: Record) -> Finding | None:
    """Many pictures that are there more than once."""
    share = record.data.get("duplicates", 0.0)
    if not share > 0.2:
        return None
    says = f"{100 * share:.0f} % of the pictures have a twin among the others."
    why = "What is there many times is learnt first, and copied; scores flatter it."
    data = record.info.get("opened", {}).get("data", "")
    remedy = f"zerosum data inspect {shlex.quote(data)}" if data else "Remove the copies."
    return _finding(record, "duplicates", "warning", says, why, remedy)


def latent_too_small(record: Record) -> Finding | None:
    """A latent of fewer numbers than the data have properties, whatever the error of their count."""
    z: Any = record.info.get("config", {}).get("z")
    properties = record.data.get("properties")
    if not isinstance(z, int) or properties is None or z * ERROR >= properties:
        return None
    says = f"The latent has a length of {z}; the pictures differ in about {properties:.0f} independent properties."
    why = (
        "What is made varies in as many ways as the latent has numbers: the rest of what the data show cannot come out."
    )
    remedy = _command(record, f"--z {latent(properties)}")
    return _finding(record, "latent_too_small", "warning", says, why, remedy)


def memorisation(record: Record) -> Finding | None:
    """Made pictures that lie nearer to training pictures than unseen real ones do."""
    nearness = record.recent("relatives")
    if not nearness < 0.4 or not record.recent("spread") > 0.3:
        return None
    says = f"Made pictures lie at {nearness:.2f} of the distance from the training pictures at which unseen ones lie."
    why = "It copies. What looks good here is not new."
    remedy = "Add pictures, or stop earlier: look at the snapshots before."
    return _finding(record, "memorisation", "fault", says, why, remedy, "relatives")


def overfitting(record: Record) -> Finding | None:
    """A judge that knows its training pictures by heart (Karras et al. 2020, arXiv 2006.06676, section 3)."""
    unseen, gap = record.recent("judge_unseen"), record.recent("gap")
    if not (unseen > 0.7 and gap > 0.25):
        return None
    says = (
        f"The discriminator ranks a training picture above an unseen real one in {100 * unseen:.0f} % of pairs "
        "(50 % would be fair)."
    )
    why = "It has begun to learn the pictures by heart, and what it tells the generator is no longer about the subject."
    remedy = "Add pictures, or stop here: the scores will get worse."
    return _finding(
        record, "discriminator_overfits", "warning", says, why, remedy, "judge_unseen", since=_since_above(record)
    )


def _since_above(record: Record) -> int:
    return record.since("judge_unseen", lambda value: value > 0.7)


def collapse(record: Record) -> Finding | None:
    """Made pictures that are all alike, or copies of a few; not a beginner's, which differ more with each look."""
    spread, twins = record.series("spread"), record.series("twins")
    if len(spread) < LOOKS:
        return None
    differ, copied = _recent(spread), _recent(twins)
    if _is_lost(spread):
        differ, copied = (float(np.nanmedian(values[-3:])) for values in (spread, twins))
    else:
        covered = record.recent("coverage")
        alike = differ < ALIKE and not covered > 0.6  # blurs near the mean cover much, and are no collapse
        few = copied > 0.5 and covered < POOR
        if not differ < 0.01 and (not (alike or few) or _is_beginner(record)):
            return None
    says = (
        f"Made pictures differ from each other by {100 * differ:.0f} % of what real ones do, and {100 * copied:.0f} % "
        f"have a twin among {NUM}."
    )
    why = "The generator has found a few pictures that pass, and makes nothing else (mode collapse)."
    since = min(record.since("spread", lambda v: v < ALIKE), record.since("twins", lambda v: v > 0.5))
    remedy = _stronger_penalty(record, 5)
    return _finding(record, "mode_collapse", "fault", says, why, remedy, "spread", "twins", "coverage", since=since)


def _is_lost(spread: np.ndarray) -> bool:
    """Whether pictures that did differ are alike at each of the last two looks."""
    return bool((spread[-2:] < ALIKE).all() and (spread[:-2] > 2 * ALIKE).sum() >= LOOKS)


def _is_beginner(record: Record) -> bool:
    """A run in its first fifth or its first 5,000 images, or one whose pictures still come to differ more, or to cover
    more, with each look."""
    if record.images < max(SOONEST, 0.2 * record.info.get("total", 0)):
        return True
    for values in _of_variety(record):
        now, before = _recent(values), _recent(values[: -max(3, len(values) // 4)])
        if now > max(1.5 * before, before + 0.05):  # half as much again of next to nothing is no progress
            return True
    return False


def _of_variety(record: Record) -> list[np.ndarray]:
    return [record.series("spread"), record.series("coverage")]


def _recent(values: np.ndarray) -> float:
    """The median of the last quarter of the values, of three at least; NaN where there is none."""
    kept = values[-max(3, len(values) // 4) :]
    return float(np.nanmedian(kept)) if np.isfinite(kept).any() else math.nan


def class_missing(record: Record) -> Finding | None:
    """A class of the first label that is hardly made: not one that a young generator has yet to come to."""
    looks = [look for look in record.looks if look.get("told")]
    looks = looks[-max(LOOKS, len(looks) // 4) :]
    told = [look["told"] for look in looks]
    if len(looks) < LOOKS or sum(told) < TOLD or record.images < LATE:
        return None
    shares = np.average([look["classes"] for look in looks], 0, told)
    if not shares.min() < 0.15 or not np.median(shares) > 0.5 or record.recent("coverage") < 0.2:
        return None
    names = record.data.get("classes", [])
    one = f"'{names[shares.argmin()]}'" if len(names) == len(shares) else "One class"
    says = f"{one} is made {shares.min():.2f} times as often as it occurs; the usual class {np.median(shares):.2f}."
    why = "A part of the data is left out: scores of the whole hardly show it."
    return _finding(record, "class_missing", "warning", says, why, "Train longer, or give that class more pictures.")


def discriminator_wins(record: Record) -> Finding | None:
    """A judge that is never wrong, and a generator that gets nowhere."""
    judge, spread = record.recent("judge"), record.recent("spread")
    if len(record.looks) < LOOKS or not judge > 0.997 or not record.recent("coverage") < POOR or spread < 0.01:
        return None
    if _is_beginner(record):
        return None
    says = f"The discriminator tells real from made in {100 * judge:.1f} % of pairs."
    why = "Sure of everything, it has no gradient left that would tell the generator where to go."
    remedy = _stronger_penalty(record, 5)
    since = record.since("judge", lambda value: value > 0.997)
    return _finding(record, "discriminator_wins", "fault", says, why, remedy, "judge", since=since)


def generator_wins(record: Record) -> Finding | None:
    """A judge that can no longer tell, though the pictures are poor."""
    judge = record.recent("judge")
    if len(record.looks) < LOOKS or _is_beginner(record) or not judge < 0.55 or not record.recent("coverage") < POOR:
        return None
    says = (
        f"The discriminator tells real from made in {100 * judge:.0f} % of pairs, a coin's toss, and yet they differ."
    )
    why = "The discriminator is too weak, or learns too slowly, to see what is wrong."
    remedy = _stronger_penalty(record, 0.2)
    since = record.since("judge", lambda value: value < 0.55)
    return _finding(record, "generator_wins", "fault", says, why, remedy, "judge", "coverage", since=since)


def divergence(record: Record) -> Finding | None:
    """Coverage that was there, and is gone."""
    values = record.series("coverage")
    if len(values) < 2 * LOOKS or not np.isfinite(values).all():
        return None
    smooth = np.convolve(values, np.ones(3) / 3, "valid")
    best = int(smooth.argmax())
    if smooth[best] < 0.2 or smooth[-1] > 0.4 * smooth[best]:
        return None
    says = f"Coverage has fallen from {smooth[best]:.2f} to {smooth[-1]:.2f}."
    why = "The run has left what it had learnt; it seldom comes back by itself."
    remedy = "Take best.safetensors; begin anew with a lower rate."
    return _finding(record, "divergence", "fault", says, why, remedy, "coverage", since=record.looks[best]["images"])


def oscillation(record: Record) -> Finding | None:
    """Pictures that move far from look to look, back and forth: plainly more so than by chance about one place, where
    two steps in a row have a cosine of -0.5."""
    onward, moved = record.recent("onward", 0.5), record.recent("moved", 0.5)
    if len(record.looks) < 2 * LOOKS or not (onward < -0.85 and moved > 0.5) or record.recent("coverage") > 0.6:
        return None
    says = f"The pictures of one latent move by {100 * moved:.0f} % of the data's spread between looks, and come back."
    why = "The two players chase each other in circles."
    return _finding(record, "oscillation", "warning", says, why, _command(record, rate=0.3), "moved", "onward")


def checkerboard(record: Record) -> Finding | None:
    """Patterns of period 2 that the data do not have."""
    checkers = record.recent("checkers")
    if not checkers > 8 or record.recent("spread") < 0.25:
        return None
    says = f"Patterns of every second pixel are {checkers:.0f} times as strong as in the data."
    why = "Strided transposed convolutions overlap unevenly (Odena et al. 2016)."
    return _finding(record, "checkerboard", "note", says, why, "Train longer: it mostly wears off.", "checkers")


def batch_too_small(record: Record) -> Finding | None:
    """So few pictures a step that each step is mostly noise."""
    plan = record.info.get("plan", {})
    micro = plan.get("micro") or plan.get("batch") or 64
    if micro > 4:
        return None
    says = f"{micro} pictures go through the networks at once."
    why = "Batch norm's statistics, and the gradients, are mostly noise with so few."
    return _finding(record, "batch_too_small", "warning", says, why, "--batch 32 --micro 16, or more.")


def starved(record: Record) -> Finding | None:
    """A run that waits for its data."""
    waiting = record.recent("waiting")
    if not waiting > 0.3:
        return None
    says = f"{100 * waiting:.0f} % of the time goes into reading pictures."
    why = "The networks wait: a slow disk, or a cache that does not fit into memory."
    return _finding(record, "machine_bound", "warning", says, why, "Set ZEROSUM_CACHE to a fast disk.", "waiting")


def judges_disagree(record: Record) -> Finding | None:
    """Scores that contradict each other."""
    scored = [line for line in record.metrics if "kid" in line and "kid_random" in line]
    if not scored:
        return None
    last = scored[-1]
    trained, untrained = (last[name]["value"] / max(last[name]["pca_gaussian"], 1e-9) for name in ("kid", "kid_random"))
    if not (min(trained, untrained) < 0.6 and max(trained, untrained) > 1.6):
        return None
    says = (
        f"KID is {trained:.2f} times PCA-Gaussian's by the ImageNet judge, {untrained:.2f} times by the untrained one."
    )
    why = "Pictures can please one judge by what the other does not see; believe the worse, and your eyes."
    return _finding(record, "judges_disagree", "note", says, why, "Look at the grid: zerosum sample.")


def progress(record: Record) -> Finding | None:
    """Whether it is done, stuck, or worth going on."""
    expected = outlook(record.metrics)
    if expected.state not in ("done", "stuck"):
        return None
    why = "The snapshot that is kept is the earliest within one standard error of the best."
    remedy = "Use best.safetensors; more images of the same will not help."
    kind = "done" if expected.state == "done" else "stuck"
    return _finding(record, kind, "note", expected.text, why, remedy)


RULES: tuple[Rule, ...] = (
    overflow,
    wrong_range,
    channels,
    too_little_data,
    duplicates,
    latent_too_small,
    rate_too_high,
    frozen,
    rate_too_low,
    starved,
    class_missing,
    discriminator_wins,
    generator_wins,
    collapse,
    divergence,
    memorisation,
    overfitting,
    oscillation,
    batch_too_small,
    checkerboard,
    judges_disagree,
    progress,
)


def _finding(
    record: Record,
    kind: str,
    severity: Severity,
    says: str,
    why: str,
    remedy: str,
    *names: str,
    since: int | None = None,
) -> Finding:
    began = (record.looks[0]["images"] if record.looks else 0) if since is None else since
    return Finding(kind, severity, began, says, why, remedy, record.curve(*names) if names else {})


def _names(record: Record, prefix: str) -> list[str]:
    return [name for name in record.looks[-1] if name.startswith(prefix)] if record.looks else []


def _levels(record: Record, name: str) -> np.ndarray:
    return np.array([look[name] for look in record.looks if name in look])


def _command(record: Record, *more: str, rate: float | None = None) -> str:
    """The run's own command with another rate or options, for a new run: where Python started it, the change alone."""
    now: Any = record.info.get("config", {}).get("rate")
    if rate is not None and not isinstance(now, float):  # the game takes its paper's
        return f"Train with a {'lower' if rate < 1 else 'higher'} --rate."
    change = [f"--rate {now * rate:.2g}"] if rate is not None else []
    words = without(shlex.split(str(record.info.get("command", ""))), "--run")
    return " ".join([shlex.join(words), *change, *more]).strip() or "Change the learning rate."


def _stronger_penalty(record: Record, times: float) -> str:
    """The command with what holds the discriminator back changed, where the game has it; else with a lower rate."""
    setting = record.info.get("restraint")
    config = record.info.get("config", {})
    weight: Any = functools.reduce(lambda part, name: part[name], setting.split("."), config) if setting else None
    if weight is None or (times < 1 and not weight):  # what holds nobody back cannot be loosened
        return _command(record, rate=0.3)
    return _command(record, f"--{setting} {weight * times or 2:g}")
