"""Directions without labels: where a generator's codes, or what its first layers make of them, vary most.

They have no names: look at what each does to a few pictures, and call it so.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from zerosum.core.errors import Refusal
from zerosum.latent.sliders import Slider
from zerosum.latent.spaces import Latents, W

DRAWN = 4096
RIDGE = 1e-6


def principal(space: Latents, number: int, seed: int = 0) -> list[Slider]:
    """The directions of largest variance, one step a standard deviation: GANSpace, Härkönen et al. 2020
    (arXiv 2004.02546).

    Of styles, the principal axes of w. Of z, which has none, those of what the generator's second layer is given,
    carried back to z by least squares. (The paper takes an early layer's output; a linear one's would give what
    `closed_form` does.)
    """
    with torch.no_grad():
        code = space.code(space.drawn(DRAWN, seed))
        flat = one_layer(code)
        seen = flat if isinstance(space, W) else _second_inputs(space, code)
        seen = seen.flatten(1).double()
        _, spread, axes = torch.svd_lowrank(seen - seen.mean(0), q=min(number + 8, *seen.shape), niter=4)
        spread, axes = _steady(spread[:number], axes[:, :number])
        score = (seen - seen.mean(0)) @ axes / (spread / (DRAWN - 1) ** 0.5)
        z = flat.double() - flat.double().mean(0)
        steps = torch.linalg.solve(score.T @ score + RIDGE * torch.eye(len(spread), dtype=score.dtype), score.T @ z)
    return _named("pca", steps.float().cpu())


def closed_form(space: Latents, number: int) -> list[Slider]:
    """The directions to which the layers that take the code answer most: SeFa, Shen and Zhou 2021 (arXiv 2007.06600).

    They are the eigenvectors of A^T A, A the weights of all these layers together. A step has length 1 in standard
    deviations of a normal latent; of styles, in those of w.

    Raises Refusal where no layer takes the code directly.
    """
    code = space.code(space.drawn(2, seed=0))
    A = torch.cat(_first_weights(space, code)).double()
    _, axes = torch.linalg.eigh(A.T @ A)
    axes = axes.flip(1)[:, :number].float().cpu()
    length = 1.0 if not isinstance(space, W) else one_layer(space.code(space.drawn(DRAWN, 0))).std(0).norm().item()
    return _named("sefa", length * _steady(torch.ones(axes.shape[1]), axes)[1].T)


def _named(name: str, steps: Tensor) -> list[Slider]:
    return [Slider(f"{name} {i}", step.clone(), layers=None) for i, step in enumerate(steps, 1)]


def _steady(spread: Tensor, axes: Tensor) -> tuple[Tensor, Tensor]:
    """Axes [d, k] with a sign that does not hang on the arithmetic: their largest entry is above 0."""
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return spread, axes * largest.sign()


def one_layer(code: Tensor) -> Tensor:
    """Of codes with a style for each layer, equal ones, the first: [n, d]."""
    return code[:, 0] if code.dim() == 3 else code


def _layers(space: Latents) -> list[nn.Module]:
    """The modules with a weight of their own, in no order."""
    return [m for name, m in space.generator.named_modules() if _weight(m) is not None and not name.startswith("judge")]


def _weight(module: nn.Module) -> Tensor | None:
    weight: Any = getattr(module, "weight", None)
    return weight if isinstance(weight, Tensor) and weight.dim() >= 2 else None


@torch.no_grad()
def _calls(space: Latents, code: Tensor) -> list[tuple[nn.Module, Tensor]]:
    """The layers with weights that are called to make a picture of these codes, in order, and what each is given."""
    found: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        found.append((module, given[0]))

    hooks = [layer.register_forward_pre_hook(note) for layer in _layers(space)]
    try:
        space.picture(code)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _second_inputs(space: Latents, code: Tensor) -> Tensor:
    """What the second layer is given, [n, ...]."""
    parts = []
    for part in code.split(256):
        calls = _calls(space, part)
        if len(calls) < 2:
            raise Refusal(f"{space.generator.header.game} has but one layer here; take its closed form.")
        parts.append(calls[1][1].float().flatten(1))
    return torch.cat(parts)


def _first_weights(space: Latents, code: Tensor) -> list[Tensor]:
    """The weights, [out, d] each, of the layers that are given the codes themselves."""
    num, wanted = code.shape[-1], [code] if code.dim() == 2 else list(code.unbind(1))
    found = {}
    for module, given in _calls(space, code):
        weight = _weight(module)
        assert weight is not None
        if any(given.numel() == part.numel() and torch.equal(given.reshape(part.shape), part) for part in wanted):
            turned = isinstance(module, nn.ConvTranspose2d)  # its weight is [in, out, h, w]
            matrix = weight.flatten(1).T if turned else weight.flatten(1)
            if matrix.shape[1] == num:
                found[id(module)] = matrix
    if not found:
        raise Refusal(f"{space.generator.header.game}: no layer takes its latents directly: none in closed form.")
    return list(found.values())
