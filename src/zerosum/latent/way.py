"""How a picture's latents are to be sought: the settings of `latent.invert`. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from tyro.conf import arg

from zerosum.core.errors import nearest, require

How = Literal["auto", "hybrid", "encoder", "optimise"]
Space = Literal["auto", "z", "w", "w+"]
Likeness = Literal["sum", "l1", "l2", "lpips"]


def _open(metavar: str, default: str) -> Any:
    """How `--help` shows a field that may be left open."""
    return arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class Way:
    """How a picture's latents are sought."""

    how: How = "auto"
    """hybrid takes what the encoder says and goes on from there; auto is that where there is an encoder, else
    optimise, from latents drawn by chance."""
    space: Space = "auto"
    """z; for games with styles also w, or w+ with one for each layer. auto is w where there are styles."""
    loss: Likeness = "sum"
    """What likeness is: the mean absolute error, the mean square, LPIPS by VGG16, or the sum of the three."""
    steps: Annotated[int | None, _open("N", "hybrid 40, optimise 100")] = None
    """Steps of Adam."""
    starts: int = 2
    """Without an encoder: from how many drawn latents at once, the nearest of 256; the best is kept."""
    rate: Annotated[float | None, _open("RATE", "hybrid 0.2, optimise 0.1")] = None
    """Adam's rate, at its greatest."""
    finish: int = 0
    """Iterations of L-BFGS after the steps."""
    prior: float = 0.1
    """Weight of staying where the prior lies."""
    domain: float = 0.05
    """Weight of staying where the encoder finds the latents again."""
    seed: int = 0
    """Decides what is drawn."""

    def __post_init__(self) -> None:
        choices: dict[str, Any] = {"how": How, "space": Space, "loss": Likeness}
        for name, known in choices.items():
            value = getattr(self, name)
            require(value in get_args(known), f"--{name} {value}: there is none such{nearest(value, get_args(known))}")
        require(self.steps is None or self.steps >= 0, f"--steps {self.steps}: wanted 0 or more.")
        require(self.rate is None or self.rate > 0, f"--rate {self.rate}: wanted a number above 0.")
        require(self.starts > 0, f"--starts {self.starts}: wanted 1 or more.")
        for name in ("finish", "prior", "domain"):
            require(getattr(self, name) >= 0, f"--{name} {getattr(self, name):g}: wanted 0 or more.")
