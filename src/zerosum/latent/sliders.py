"""Named directions, each with the step that counts as one; kept in a file; and codes moved along them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import save_tensors

FILE = "directions.safetensors"
FORMAT = 1
STRETCHES, ARRIVED = (1.0, 1.25, 1.5, 2.0, 2.5), 0.9
LEFT = 0.3  # of a step's length, below which what locks leave of it is hardly the step


@dataclass(frozen=True)
class Slider:
    """A direction with a name. step: from codes that lack an attribute to those that have it, float [d], of one layer
    where there are several.

    origin: where on it those stand that lack it; those that have it stand 1 further. stretch: how many steps a code
    must go for its picture to arrive there (see `stretched`); +1 is as many, and then `arrives` is how far the picture
    came, where this was tried. count: how many had it when it was learnt; rare: one side had few. told: the share of
    unseen codes of which it told rightly whether they have it, both kinds counting alike. layers: those that it moves,
    from the first up to the second, of styles that are one for each.
    """

    name: str
    step: Tensor
    origin: float = 0.0
    stretch: float = 1.0
    arrives: float | None = None
    count: int = 0
    rare: bool = False
    told: float | None = None
    layers: tuple[int, int] | None = None

    def position(self, code: Tensor) -> Tensor:
        """Where codes [n, ..., d] stand on it: 0 as those without, 1 as those with; of several layers, the mean."""
        at = code @ self.step / self.step.square().sum() - self.origin
        return at.flatten(1).mean(1) if at.dim() > 1 else at


@dataclass(frozen=True)
class Wish:
    """By how much to go (+1, -0.5), or with `absolute` where to: 0 as those without, 1 as those with."""

    amount: float
    absolute: bool = False


@dataclass
class Sliders:
    """Directions of one generator's codes, by name, in the space ("z", "w", "w+", "code") in which they were found.

    model: the recipe of the generator's run, empty if unknown; a file of another run is refused.
    """

    space: str
    model: str = ""
    by_name: dict[str, Slider] = field(default_factory=dict)

    def add(self, slider: Slider) -> None:
        """Takes one in, in place of one of its name."""
        self.by_name[slider.name] = slider

    def __getitem__(self, name: str) -> Slider:
        """The one of this name; underscores may stand for spaces. Raises Refusal for an unknown one."""
        found = next((known for known in self.by_name if _plain(known) == _plain(name)), None)
        if found is None:
            classes = [known for known in self.by_name if _plain(known).startswith(f"{_plain(name)}:")]
            if classes:
                raise Refusal(f"'{name}' is a choice of several. Wanted one of them: {', '.join(classes)}.")
            raise Refusal(f"no direction '{name}'{nearest(name, self.by_name)}")
        return self.by_name[found]

    def change(self, code: Tensor, wishes: Mapping[str, Wish], locked: Sequence[str] = ()) -> Tensor:
        """What the wishes add to codes [n, ..., d], of their shape. No locked direction is moved along.

        Raises Refusal for a name that is unknown, and for one that is both wished for and locked.
        """
        sought = {self[name].name: wish for name, wish in wishes.items()}
        fixed = [self[name] for name in locked]
        for slider in fixed:
            if slider.name in sought:
                raise Refusal(f"'{slider.name}' is to be changed and locked at once. Leave one out.")
        basis = orthonormal([slider.step for slider in fixed])
        total = torch.zeros_like(code)
        for name, wish in sought.items():
            slider = self[name]
            amount = torch.full((len(code),), wish.amount)
            if wish.absolute:  # in steps as they are gone, stretched: who is there stays there
                amount = amount - slider.position(code) / slider.stretch
            step = _on_layers(off(slider.stretch * slider.step, basis), code, slider.layers)
            total += amount.view(-1, *[1] * (code.dim() - 1)) * step
        return total

    def left(self, name: str, locked: Sequence[str]) -> float:
        """The share of a step's length that the locks leave of it, in [0, 1]."""
        step = self[name].step
        return (off(step, orthonormal([self[other].step for other in locked])).norm() / step.norm()).item()

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        sliders = list(self.by_name.values())
        notes = [{key: value for key, value in vars(slider).items() if key != "step"} for slider in sliders]
        record = {"format": FORMAT, "space": self.space, "model": self.model, "directions": notes}
        steps = torch.stack([slider.step.float() for slider in sliders]) if sliders else torch.zeros(0, 0)
        save_tensors(path, {"steps": steps}, {"zerosum-directions": json.dumps(record)})

    @classmethod
    def load(cls, path: Path) -> Sliders:
        """What `save` wrote. Raises Refusal for a file that is missing, damaged or of another kind."""
        if not path.is_file():
            raise Refusal(f"{path}: no such file of directions. Make one: zerosum directions RUN DATA")
        try:
            with safe_open(path, framework="pt") as file:
                record = json.loads((file.metadata() or {})["zerosum-directions"])
                steps = file.get_tensor("steps").float()
            if record["format"] > FORMAT:
                raise Refusal(
                    f"{path}: of format {record['format']}; this version reads up to {FORMAT}. Update zerosum."
                )
            found = cls(record["space"], record["model"])
            for note, step in zip(record["directions"], steps, strict=True):
                layers = tuple(note.pop("layers") or ()) or None
                found.add(Slider(**note, step=step, layers=layers))
        except (SafetensorError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise Refusal(f"{path}: holds no directions that can be read ({error!r:.200}). Make them anew.") from error
        return found


def stretched(slider: Slider, codes: Tensor, arrived: Callable[[Tensor], float]) -> Slider:
    """The slider with the least of a few stretches by which pictures arrive, else the largest.

    Pictures change less than codes do where the generator answers to a step by halves. codes [n, ...]: some that lack
    the attribute; `arrived(codes)`: how far pictures made of moved ones have come, 0 where they began, 1 where those
    with the attribute are; nine tenths are enough.
    """
    for stretch in STRETCHES:
        came = arrived(codes + _on_layers(stretch * slider.step, codes, slider.layers))
        if came >= ARRIVED:
            break
    return replace(slider, stretch=stretch, arrives=came)


def orthonormal(steps: Sequence[Tensor]) -> Tensor:
    """An orthonormal basis [k, d] of what the steps, each [d], span."""
    if not steps:
        return torch.zeros(0, 0)
    _, sizes, axes = torch.linalg.svd(torch.stack([step / step.norm().clamp(min=1e-12) for step in steps]).double())
    return axes[: int((sizes > 1e-6).sum())].float()


def off(step: Tensor, basis: Tensor) -> Tensor:
    """The part of a step [d] that moves along none of the basis [k, d]: conditional manipulation, Shen et al. 2020
    (arXiv 1907.10786)."""
    for _ in range(2 if len(basis) else 0):  # the second time takes off what rounding left
        step = step - basis.T @ (basis @ step)
    return step


def _on_layers(step: Tensor, code: Tensor, layers: tuple[int, int] | None) -> Tensor:
    """The step for codes of several layers: on those from layers[0] up to layers[1] alone."""
    if layers is None or code.dim() < 3:
        return step
    numbers = torch.arange(code.shape[1])
    return ((numbers >= layers[0]) & (numbers < layers[1])).float()[:, None] * step


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").lower().split())
