"""Down an objective from given starts: Adam with warm-up and cosine, L-BFGS to finish."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.core.errors import require
from zerosum.latent.spaces import Latents
from zerosum.latent.terms import Look, Term


@dataclass(frozen=True)
class Descent:
    """How to go: steps of Adam at a rate that grows over the first part and then falls to 0 as half a cosine does, and
    iterations of L-BFGS after them."""

    steps: int
    rate: float
    warm_up: float = 0.1
    finish: int = 0

    def __post_init__(self) -> None:
        require(self.steps >= 0, f"--steps {self.steps}: wanted 0 or more.")
        require(self.rate > 0, f"--rate {self.rate:g}: wanted a number above 0.")
        require(0 <= self.warm_up < 1, f"warm_up={self.warm_up:g}: wanted at least 0 and less than 1.")
        require(self.finish >= 0, f"--finish {self.finish}: wanted 0 or more.")

    def rate_at(self, step: int) -> float:
        """The rate of step 0, 1, ...; that of the last is just above 0."""
        grown = min(1.0, (step + 1) / max(1.0, self.warm_up * self.steps))
        return self.rate * grown * (1 + math.cos(math.pi * step / self.steps)) / 2


@dataclass(frozen=True)
class Found:
    """The best of each row: coordinates, code, picture, and the objective there, [n]."""

    u: Tensor
    code: Tensor
    picture: Tensor
    loss: Tensor


def descend(
    space: Latents, objective: Term, start: Tensor, descent: Descent, shown: Callable[[int], None] | None = None
) -> Found:
    """From coordinates start [n, ...], each row on its own, to the best that was passed on the way.

    So no row ends worse than it began. `shown(step)` is told of each step.
    """
    u = start.detach().clone().requires_grad_(True)
    optimizer = torch.optim.Adam([u], lr=descent.rate, betas=(0.9, 0.99))
    best = None
    for step in range(descent.steps):
        optimizer.param_groups[0]["lr"] = descent.rate_at(step)
        found = _stepped(space, objective, u, optimizer)
        best = found if best is None else _better(best, found)
        if shown is not None:
            shown(step)
    last = _look(space, objective, u)
    best = last if best is None else _better(best, last)
    return _finished(space, objective, best, descent.finish) if descent.finish else best


def _stepped(space: Latents, objective: Term, u: Tensor, optimizer: torch.optim.Optimizer) -> Found:
    """Takes a step, and returns what was found before it."""
    code = space.code(u)
    picture = space.picture(code)
    loss = objective(Look(u, code, picture))
    (gradient,) = torch.autograd.grad(loss.sum(), u)
    found = Found(*(part.detach().clone() for part in (u, code, picture, loss)))
    u.grad = gradient
    optimizer.step()
    return found


@torch.no_grad()
def _look(space: Latents, objective: Term, u: Tensor) -> Found:
    u = u.detach().clone()
    code = space.code(u)
    picture = space.picture(code)
    return Found(u, code, picture, objective(Look(u, code, picture)))


def _better(one: Found, other: Found) -> Found:
    """Of each row the better; what is not a number never is."""
    wins = other.loss < one.loss

    def chosen(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(wins.view(-1, *[1] * (a.dim() - 1)), b, a)

    return Found(*(chosen(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True)))


def _finished(space: Latents, objective: Term, best: Found, iterations: int) -> Found:
    """L-BFGS with a line search (Nocedal 1980), on all rows as one problem: the rows do not depend on each other."""
    u = best.u.clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([u], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe")

    def total() -> Tensor:
        code = space.code(u)
        loss = objective(Look(u, code, space.picture(code))).sum()
        (u.grad,) = torch.autograd.grad(loss, u)
        return loss.detach()

    optimizer.step(total)  # type: ignore[arg-type]
    return _better(best, _look(space, objective, u))
