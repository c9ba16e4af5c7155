"""Labels that a generator is told: as numbers, as wishes in words, and those that training has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core.batch import Attribute
from zerosum.core.errors import Refusal, nearest

KEPT = 2048  # label rows that are remembered

Attributes = Sequence[Attribute]


def sizes(attributes: Attributes) -> list[int]:
    """The number of classes of each attribute."""
    return [len(attribute.classes) for attribute in attributes]


def one_hot(y: Tensor, attributes: Attributes) -> Tensor:
    """float32 [n, all classes]: the one-hot codes of each attribute side by side, of labels y, int64 codes [n, A]."""
    return torch.cat([F.one_hot(y[:, a], size) for a, size in enumerate(sizes(attributes))], 1).float()


def blended(codes: Tensor, attributes: Attributes) -> Tensor:
    """Codes [n, all classes] with each attribute's divided by their sum: what lies between classes is a blend."""
    parts = codes.clamp(min=0).split(sizes(attributes), 1)
    return torch.cat([part / part.sum(1, keepdim=True).clamp(min=1e-6) for part in parts], 1)


def wished(labels: Mapping[str, str], attributes: Attributes) -> dict[int, int]:
    """The code of the class wished for, by the attribute's number. Raises Refusal for names that are not known."""
    known = {attribute.name: i for i, attribute in enumerate(attributes)}
    found = {}
    for name, value in labels.items():
        if name not in known:
            raise Refusal(f"no label '{name}'{_there_are(name, list(known))}")
        classes = attributes[known[name]].classes
        if value not in classes:
            raise Refusal(f"{name}={value}: no such class{_there_are(value, classes)}")
        found[known[name]] = classes.index(value)
    return found


def _there_are(name: str, known: Sequence[str]) -> str:
    """The nearest known name, and all of them."""
    hint = nearest(name, known)
    return hint if "known:" in hint else f"{hint} There are: {', '.join(known)}."


class Seen(nn.Module):
    """The first label rows that a game has seen, as a buffer: what a conditional generator draws its labels from.

    So labels come as they do in the data, together: who is bald has no hair colour. Once KEPT rows are there, nothing
    changes any more: pictures of fixed noise keep their labels. Each process remembers its own; the lead's are saved.
    """

    per_process = True
    y: Tensor

    def __init__(self, attributes: Attributes):
        super().__init__()
        self.attributes = tuple(attributes)
        self.register_buffer("y", torch.full((KEPT, len(self.attributes)), -1, dtype=torch.int32))

    def note(self, y: Tensor) -> None:
        """Remembers labels, int64 codes [n, A], while there is room. (Full or not is not asked of the device: that
        would make it wait.)"""
        longer = torch.cat([y.to(self.y.dtype), self.y])[:KEPT]
        self.y.copy_(torch.where(self.y[-1:, :1] >= 0, self.y, longer))

    def rows(self) -> Tensor:
        """The rows so far, int64 [at most KEPT, A] on the CPU; a file's codes that no class has become the last."""
        y = self.y.long().cpu()
        return y[y[:, 0] >= 0].clamp(min=0).minimum(torch.tensor(sizes(self.attributes)) - 1)

    def draw(self, n: int, seed: int) -> Tensor:
        """int64 codes [n, A]; row i depends on `seed` and i alone. Before any are seen, all classes are as likely."""
        random = torch.from_numpy(np.random.default_rng((seed, 1)).random((n, 1 + len(self.attributes))))
        rows = self.rows()
        if len(rows):
            return rows[(random[:, 0] * len(rows)).long()]
        return (random[:, 1:] * torch.tensor(sizes(self.attributes))).long()

    def agreeing(self, y: Tensor, wish: Mapping[int, int], chance: Tensor) -> Tensor:
        """The rows of y, int64 [n, A], changed to have the codes wished for, by the attribute's number.

        Who agrees stays; of the others each becomes one of the seen rows with this wish, by its `chance`, float [n] in
        [0, 1]: so what was not wished for comes as it does in the data, among those that are so. Where none was seen,
        the labels wished for are set alone.
        """
        columns, codes = list(wish), torch.tensor(list(wish.values()))
        rows = self.rows()
        rows = rows[(rows[:, columns] == codes).all(1)]
        agrees = (y[:, columns] == codes).all(1, keepdim=True)
        if len(rows):
            return torch.where(agrees, y, rows[(chance * len(rows)).long().clamp(max=len(rows) - 1)])
        y = y.clone()
        y[:, columns] = codes
        return y

    def mean(self) -> Tensor:
        """float32 [all classes]: how often each class was seen; before any are, all classes as often."""
        y = self.y.long()
        counts = [((y[:, a, None] == torch.arange(n, device=y.device)).sum(0)) for a, n in enumerate(self._sizes)]
        return blended(torch.cat(counts)[None].float() + 1e-3, self.attributes)[0]

    @property
    def _sizes(self) -> list[int]:
        return sizes(self.attributes)
