"""Where a game's step goes, layer by layer: `python -m zerosum.bench._profile [GAME]` prints Markdown.

Each layer is timed by itself, forward and backward, on an input of the shape and layout that it has in the step; what a
round then takes beyond its layers is norms, activations, copies, optimizers and Python.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from zerosum import api
from zerosum.bench._costs import Noise
from zerosum.bench._flops import flops
from zerosum.core.batch import DataShape, Images
from zerosum.core.machine import Machine, choose
from zerosum.core.plan import Plan
from zerosum.training.match import Match
from zerosum.training.recipe import complete

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
REPEATS = 15


@dataclass(frozen=True)
class Layer:
    """What one layer takes: floating-point operations of its forward pass, seconds forward and backward."""

    name: str
    flops: float
    forward: float
    backward: float

    def __str__(self) -> str:
        there, back = (self.flops / 1e12 / s for s in (self.forward, self.backward / 2))
        return (
            f"| {self.name} | {self.flops / 1e9:.2f} | {1e3 * self.forward:.2f} | {1e3 * self.backward:.2f} "
            f"| {there:.3f} | {back:.3f} |"
        )


def profile(game: str, shape: DataShape) -> Iterator[str]:
    """Lines of Markdown: the layers, then the round."""
    played = api.build(game, Noise(Images, shape), {}, seed=0)
    plan = complete(played, Plan())
    match = Match(played, Noise(Images, shape), plan, choose(plan), total=10**12)
    threads = f"{torch.get_num_threads()} threads"
    yield f"{game}, {shape}, {plan.batch} pictures a step, {match.machine.arithmetic}, {threads}"
    yield ""
    yield "| layer | GFLOP forward | ms forward | ms backward | TFLOP/s forward | TFLOP/s backward |"
    yield "|---|---|---|---|---|---|"
    for layer, x in _inputs(match):
        yield str(_timed(layer, x, match.machine))
    counted = flops(match.play_round)
    rounds = [_seconds(match.play_round) for _ in range(REPEATS)]
    seconds = statistics.median(rounds)
    yield ""
    yield (
        f"A round: {counted / 1e9:.1f} GFLOP, {1e3 * seconds:.1f} ms, {counted / seconds / 1e12:.3f} TFLOP/s, "
        f"{match.batch / seconds:.0f} images a second."
    )


def _inputs(match: Match) -> list[tuple[nn.Module, Tensor]]:
    """Each layer with the first input that it meets in a round."""
    met: dict[nn.Module, Tensor] = {}

    def meet(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        met.setdefault(layer, given[0].detach())

    hooks = [layer.register_forward_pre_hook(meet) for layer in match.game.modules() if isinstance(layer, LAYERS)]
    match.play_round()
    for hook in hooks:
        hook.remove()
    return list(met.items())


def _timed(layer: nn.Module, x: Tensor, machine: Machine) -> Layer:
    x = x.clone().requires_grad_(True)
    layer.requires_grad_(True)
    with machine.autocast():
        counted = flops(lambda: layer(x))
    there, back = [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        with machine.autocast():
            y = layer(x)
        there.append(time.perf_counter() - begin)
        gradient = torch.randn_like(y)
        back.append(_seconds(partial(y.backward, gradient)))
    name = f"{type(layer).__name__} {list(x.shape[1:])} to {list(y.shape[1:])}"
    return Layer(name, counted, statistics.median(there), statistics.median(back))


def _seconds(step: Callable[[], object]) -> float:
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    for line in profile(sys.argv[1] if len(sys.argv) > 1 else "house", DataShape(64, 64)):
        print(line)
