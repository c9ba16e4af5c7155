"""How long a run goes on, in what portions, and how often it reports. Free of torch, so that `--help` is quick."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Any, Literal

from tyro.conf import arg

from zerosum.core.errors import Refusal


def _open(metavar: str, default: str) -> Any:
    """How `--help` shows a field that may be left open."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


def check_seed(seed: int) -> None:
    """Raises Refusal for a seed that torch's or NumPy's generators of random numbers do not take."""
    if not (isinstance(seed, int) and 0 <= seed < 2**63):
        raise Refusal(f"seed={seed!r}: wanted a whole number from 0 to 2^63 - 1.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _as_given(value: Any) -> str:
    """-3 for the -3.0 that the command line's -3 has become."""
    return f"{value:g}" if isinstance(value, float) else repr(value)


@dataclass(frozen=True)
class Plan:
    """How a game is played. What is None is filled in by the game's own plan, then by the trainer."""

    minutes: Annotated[float | None, _open("M", "10, unless --images is given")] = None
    """Train for about this many minutes: a short trial fixes the number of images, and from then on images rule."""
    images: Annotated[int | None, _open("N", "as the minutes allow")] = None
    """Train until this many real pictures have been drawn."""
    batch: Annotated[int | None, _open("N", "the game's own, mostly 64")] = None
    """Pictures a step."""
    micro: Annotated[int | None, _open("N", "the batch")] = None
    """Pictures that go through the networks at once; gradients accumulate to a batch."""
    order: Annotated[Literal["epochs", "replacement"] | None, _open("epochs|replacement", "epochs")] = None
    """Each picture once an epoch, or drawn with replacement."""
    average: Annotated[float | None, _open("WIDTH", "0.1")] = None
    """Width of the generator's running average, as a fraction of the run so far; 0 keeps none."""
    seed: int = 0
    """Decides the first weights, the order of the data and all noise."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the networks; auto takes bf16 where the processor has it. Penalties and optimizers stay fp32."""
    layout: Literal["auto", "channels_last", "contiguous"] = "auto"
    """Order of a picture's numbers in memory; auto takes channels_last with bf16."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1."""
    log: Annotated[int | None, _open("N", "200 in the run")] = None
    """A line in the log each so many images."""
    grid: Annotated[int | None, _open("N", "40 in the run")] = None
    """A grid of pictures each so many images."""
    save: Annotated[int | None, _open("N", "8 in the run")] = None
    """A snapshot, its scores and a checkpoint each so many images."""
    score: Annotated[int | None, _open("N", "500")] = None
    """Pictures that the judges see at each save; 0 for no judging while it trains."""
    keep: Annotated[int | None, _open("N", "4")] = None
    """Newest snapshots to keep, beside the best and those that later scores may yet make the best."""
    stop: bool = False
    """Stop as soon as no more progress is to be expected; the minutes or images are then the most."""

    def __post_init__(self) -> None:
        """Messages name `minutes=-3`, which fits the command line's --minutes as well as Python."""
        for name in ("minutes", "images", "batch", "micro", "log", "grid", "save", "keep"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise Refusal(f"{name}={_as_given(value)}: wanted a number above 0.")
        if self.score is not None and not (_is_number(self.score) and self.score >= 0):
            raise Refusal(f"score={_as_given(self.score)}: wanted 0 or more pictures.")
        if self.stop and self.score == 0:
            raise Refusal(
                "stop=True and score=0: without scores it cannot be told when to stop. Leave one of them out."
            )
        if self.minutes is not None and self.images is not None:
            raise Refusal(f"minutes={self.minutes:g} and images={self.images}: give one of the two.")
        check_seed(self.seed)
        if self.average is not None and not 0 <= self.average < 0.25:
            raise Refusal(f"average={self.average:g}: wanted at least 0 and less than 0.25; 0.1 is usual.")
        if self.batch and self.micro and self.batch % self.micro:
            raise Refusal(f"micro={self.micro} does not divide batch={self.batch}: choose one that does.")

    def over(self, other: Plan) -> Plan:
        """This plan, with what it leaves None taken from `other`. A budget in one unit replaces the other's."""
        if self.minutes is not None or self.images is not None:
            other = replace(other, minutes=None, images=None)
        mine = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}
        return Plan(**{**asdict(other), **mine})
