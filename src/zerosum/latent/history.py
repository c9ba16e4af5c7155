"""Edits of one picture as latents and steps: undo, redo and branches are exact, because nothing is ever added up twice.

A state is the code with which the picture began and the changes on the way to it, summed in their order. To undo is to
go to the state before, whose sum is the same as when it was made.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zerosum.core.errors import Refusal
from zerosum.core.files import save_json

FORMAT = 1


@dataclass(frozen=True)
class Edit:
    """A step: the number of the state from which it went (0 is the picture as it began), in words what was asked, such
    as ["glasses=+1"], what was locked, and by how much the code changed, float32 numbers."""

    parent: int
    asked: list[str]
    locked: list[str]
    change: list[float]


@dataclass
class History:
    """The states of a picture: state 0 is its code, state i what edit i made of another state.

    model: of which generator's file these are the codes (SHA-256); space: "z", "w", "w+" or "code"; shape: of a code;
    start: its numbers; at: the state that is shown; ahead: those that were undone, the next to be redone first.
    """

    model: str
    space: str
    shape: list[int]
    start: list[float]
    picture: str = ""
    edits: list[Edit] = field(default_factory=list)
    at: int = 0
    ahead: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, code: Tensor, model: str, space: str, picture: str = "") -> History:
        """The history of a code [...] to which nothing has been done."""
        return cls(model, space, list(code.shape), _numbers(code), picture)

    def code(self, state: int | None = None) -> Tensor:
        """The code of a state, by default of that shown, float32 of `shape`."""
        found = torch.tensor(self.start, dtype=torch.float32)
        for number in self.path(self.at if state is None else state):
            found = found + torch.tensor(self.edits[number - 1].change, dtype=torch.float32)
        return found.view(self.shape)

    def path(self, state: int) -> list[int]:
        """The states on the way from the beginning to this one, it included, 0 left out."""
        way: list[int] = []
        while state:
            way.insert(0, state)
            state = self.edits[state - 1].parent
        return way

    def edit(self, change: Tensor, asked: list[str], locked: list[str]) -> None:
        """Goes on from the state shown; what was undone stays as a branch."""
        self.edits.append(Edit(self.at, asked, locked, _numbers(change)))
        self.at, self.ahead = len(self.edits), []

    def undo(self, times: int = 1) -> None:
        """Goes back so many edits. Raises Refusal where there are not as many."""
        steps = len(self.path(self.at))
        if times > steps:
            raise Refusal(f"undo {times}: only {steps} edits were made on the way here.")
        for _ in range(times):
            self.ahead.insert(0, self.at)
            self.at = self.edits[self.at - 1].parent

    def redo(self, times: int = 1) -> None:
        """Takes back so many undos. Raises Refusal where there are not as many."""
        if times > len(self.ahead):
            raise Refusal(f"redo {times}: only {len(self.ahead)} edits were undone since the last one.")
        for _ in range(times):
            self.at = self.ahead.pop(0)

    def go(self, state: int) -> None:
        """Shows a state by its number, of whichever branch. Raises Refusal for one that there is not."""
        if not 0 <= state <= len(self.edits):
            raise Refusal(f"state {state}: there are 0 to {len(self.edits)}.")
        self.at, self.ahead = state, []

    def save(self, path: Path) -> None:
        """Writes JSON, whole or not at all."""
        save_json(path, {"format": FORMAT, **asdict(self)})

    @classmethod
    def load(cls, path: Path) -> History:
        """What `save` wrote. Raises Refusal for a file that cannot be read, or makes no sense."""
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record.pop("format") > FORMAT:
                raise Refusal(f"{path}: written by a newer version. Update zerosum.")
            found = cls(**{**record, "edits": [Edit(**edit) for edit in record["edits"]]})
            if not all(0 <= edit.parent < number for number, edit in enumerate(found.edits, 1)):
                raise ValueError("an edit goes on from one that came after it")
            for state in (found.at, *found.ahead):
                found.code(state)
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, RecursionError) as error:
            raise Refusal(f"{path}: holds no history of edits ({error!r:.200}). Name another file.") from error
        return found


def _numbers(tensor: Tensor) -> list[float]:
    """The numbers of a tensor, each written as shortly as float32 can be told again exactly."""
    return [float(str(number)) for number in tensor.detach().cpu().float().numpy().astype(np.float32).flatten()]
