"""One player moved alone, which no round of a game does: to show what becomes of it against a fixed other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from zerosum.core.batch import Batch
from zerosum.core.game import Clock, Game, Moves

Loss = Callable[..., Moves | None]


def moved(game: Game, player: str, loss: Loss, batches: Iterable[Batch]) -> Iterator[int]:
    """Moves one player by `loss`, a step on each batch; yields how many steps it has made."""
    its = game.players()[player]
    optimizer = its.optimizer(its.parameters())
    for step, batch in enumerate(batches, 1):
        optimizer.zero_grad()
        scalar(loss(batch, Clock())).backward()
        optimizer.step()
        if its.after_step is not None:
            with torch.no_grad():
                its.after_step()
        yield step


def scalar(moves: Moves | None) -> Tensor:
    """The loss of a turn that moves one player."""
    assert moves is not None
    loss, _ = moves
    assert isinstance(loss, Tensor)
    return loss
