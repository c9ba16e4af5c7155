"""What a run shows of its health, as plain numbers: measured now and then, on a few pictures, for the findings."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.core.batch import Batch, DataShape, Images, Source, Table, pictures
from zerosum.core.generator import Generator, Judges, Samples
from zerosum.metrics.coverage import Thumbnails, ceiling, coverage
from zerosum.metrics.dimension import dimension
from zerosum.metrics.namer import Namer, small

NUM, FEWEST = 128, 32  # pictures on each side, at each look: of LARGE pixels at most, fewer of larger ones
LARGE = 256 * 256
KNOWN = 2048  # training pictures among which near relatives are looked for
BATCH = 64

Numbers = dict[str, float | list[float]]


def watched(generator: Generator, source: Source, seed: int) -> Vitals | None:
    """The vitals of a run on this source, by its pictures or a table's rows; None where nothing is made of noise."""
    shown = source if issubclass(source.holds, Table) else pictures(source)
    return Vitals(shown, seed) if shown is not None and len(shown) > 1 and isinstance(generator, Samples) else None


def looked_at(shape: DataShape) -> int:
    """Pictures on each side at a look."""
    return max(FEWEST, min(NUM, NUM * LARGE // (shape.height * shape.width)))


class Vitals:
    """Looks at a generator and its judge. What it compares with is drawn once, by `seed`, at the first look.

    All is measured on the live generator, in evaluation mode, from the same latents each time; nothing of the run's
    state moves. Raises nothing: what cannot be measured (no judge, no labels, too few pictures) is left out.
    """

    def __init__(self, source: Source, seed: int):
        self.source, self.seed = source, seed
        self.num = looked_at(source.shape)
        self._before: list[Tensor] = []
        self._has_met = False

    def _meet(self) -> None:
        """Draws what it compares with: a second's work, for which no run need wait to begin."""
        if self._has_met:
            return
        self._has_met = True
        rng = np.random.default_rng((self.seed, 77))
        indices = rng.permutation(len(self.source))[:KNOWN]
        self.real = _pictures(self.source, indices[: self.num])
        heldout = self.source.heldout()
        chosen = rng.permutation(len(heldout))[: self.num] if heldout is not None else np.empty(0, np.int64)
        self.heldout = _pictures(heldout, chosen) if heldout is not None and len(chosen) >= FEWEST else None
        self._know(indices)
        self.orders = _orders(self.known) if self.real.dim() == 4 else {}

    def _know(self, indices: np.ndarray) -> None:
        """The thumbnails of many training pictures, and who can tell their classes."""
        seen, shown, labels = [], [], []
        for part in np.array_split(indices, -(-len(indices) // BATCH)):
            batch = self.source.batch(part)
            assert isinstance(batch, Images | Table)
            seen.append(thumbnails(batch.x))
            if isinstance(batch, Images) and batch.y is not None and batch.y.shape[1]:
                shown.append(small(batch.x))
                labels.append(batch.y[:, 0])
        self.known = torch.cat(seen)
        namer = Namer(torch.cat(shown), torch.cat(labels)) if labels else None
        self.namer = namer if namer and namer.followed else None

    def data(self) -> dict[str, Any]:
        """What the data themselves show, once a run: {"num", of pictures "low" and "high" level, the share of
        "duplicates", "classes": the names of those that are followed, "properties": how many are independent, None
        where that cannot be told}."""
        self._meet()
        near = _nearest(self.known, self.known, itself=True)
        depicts = self.real.dim() == 4
        same = (0.02 if depicts else 1e-5) * _pairwise(self.known[:NUM])  # rows may lie near and be no copies
        return {
            "num": len(self.source),
            **({"low": self.real.min().item(), "high": self.real.max().item()} if depicts else {}),
            "duplicates": (near < same).float().mean().item(),
            "classes": [self.source.shape.attributes[0].classes[c] for c in self.namer.followed] if self.namer else [],
            "properties": None if (found := dimension(self.known)) is None else found.properties,
        }

    @torch.inference_mode()
    def measure(self, generator: Generator, images: int = 0) -> Numbers:
        """The numbers of one look, after so many images. `generator` is in evaluation mode, and on any device."""
        self._meet()
        fake = self._made(generator, self.seed + 2)
        found: Numbers = {"finite": float(fake.isfinite().all())}
        if not found["finite"]:
            return found
        if isinstance(generator, Judges) and generator.judge is not None:
            found |= self._judged(generator, fake)
        if self.namer or self.orders:
            others = self._made(generator, self.seed + 3 + images)
            found |= self._classes(others) | self._channels(thumbnails(others))
        found |= _levels(fake, self.real) if fake.dim() == 4 else {}
        return found | self._variety(fake) | self._motion(fake)

    def _made(self, generator: Generator, seed: int) -> Tensor:
        assert isinstance(generator, Samples)
        z = generator.latents(self.num, seed)
        return torch.cat([generator(part.to(generator.device)).float().cpu() for part in z.split(BATCH)])

    def _judged(self, generator: Judges, fake: Tensor) -> Numbers:
        """How the judge tells real from made, and pictures that it saw from such that it never saw."""
        real, made = _scores(generator, self.real), _scores(generator, fake)
        found: Numbers = {
            "judge": _wins(real, made),
            "r_t": real.sign().mean().item(),
        }
        if self.heldout is not None:
            unseen = _scores(generator, self.heldout)
            gap = (real.mean() - made.mean()).abs().clamp(min=1e-6)
            found |= {"judge_unseen": _wins(real, unseen), "gap": ((real.mean() - unseen.mean()) / gap).item()}
        return found

    def _variety(self, fake: Tensor) -> Numbers:
        """How much the made pictures differ from each other and from those that training shows, in thumbnails."""
        made, real = thumbnails(fake), thumbnails(self.real)
        usual = _nearest(real, real, itself=True).median()
        num = min(len(made), len(real))
        found: Numbers = {
            "spread": (_pairwise(made) / _pairwise(real).clamp(min=1e-9)).item(),
            "twins": (_nearest(made, made, itself=True) < usual / 4).float().mean().item(),
            "coverage": coverage(made[:num], real[:num]) / ceiling(num) if num > 8 else math.nan,
        }
        if self.heldout is not None:
            unseen = _nearest(thumbnails(self.heldout), self.known)
            found["relatives"] = (_nearest(made, self.known).median() / unseen.median().clamp(min=1e-9)).item()
        return found

    def _classes(self, made: Tensor) -> Numbers:
        """For each followed class, how many times as often as in the data it is made; and how many new made pictures
        were told."""
        if self.namer is None:
            return {}
        with torch.autocast("cpu", enabled=False):  # as it was fitted
            shares, told = self.namer.shares(made)
        return {"classes": shares, "told": float(told)}

    def _channels(self, made: Tensor) -> Numbers:
        """How much nearer new made pictures come to the data with their channels in another order, as a share of what
        that order takes real ones away: -1 of faithful colours, 1 of swapped ones."""
        stands = _distance(made, self.known)
        gains = [(stands - _distance(_ordered(made, order), self.known)) / cost for order, cost in self.orders.items()]
        return {"channels": max(gains)} if gains else {}

    def _motion(self, fake: Tensor) -> Numbers:
        """How far the pictures of the same latents have moved since the last look, in units of the data's spread, and
        whether they moved on (1) or back (-1)."""
        now = thumbnails(fake)
        self._before = [*self._before[-2:], now]
        if len(self._before) < 2:
            return {}
        step = self._before[-1] - self._before[-2]
        found: Numbers = {"moved": (step.norm(dim=1).mean() / _pairwise(thumbnails(self.real)).clamp(min=1e-9)).item()}
        if len(self._before) == 3:
            last = self._before[-2] - self._before[-3]
            found["onward"] = nn.functional.cosine_similarity(step.flatten(), last.flatten(), dim=0).item()
        return found


def _levels(fake: Tensor, real: Tensor) -> Numbers:
    """Levels and checkerboards of the made pictures beside the real ones'."""
    points = torch.tensor([0.01, 0.1, 0.5, 0.9, 0.99])
    return {
        "levels": torch.quantile(_sampled(fake), points).tolist(),
        "levels_real": torch.quantile(_sampled(real), points).tolist(),
        "checkers": (_checkers(fake) / _checkers(real).clamp(min=1e-9)).item(),
    }


def _orders(known: Tensor) -> dict[tuple[int, ...], float]:
    """The other orders of red, green and blue that can be told from the right one in the data's thumbnails [n, 192],
    and by how much each takes them away from themselves; none of pictures without colours."""
    stands = _distance(known, known)
    costs = {order: _distance(_ordered(known, order), known) - stands for order in permutations(range(3))}
    largest = max(costs.values())
    return {order: cost for order, cost in costs.items() if cost > max(0.5 * largest, 0.005 * stands)}


def _ordered(x: Tensor, order: tuple[int, ...]) -> Tensor:
    """Thumbnails [n, 192] with their channels in that order."""
    return x.unflatten(1, (3, -1))[:, list(order)].flatten(1)


def _distance(x: Tensor, known: Tensor) -> float:
    """The mean distance of the rows of x to the known ones. With one set before and after a change of the other, its
    change is half that of their energy distance (Szekely and Rizzo 2013)."""
    return torch.cdist(x, known).mean().item()


def _checkers(x: Tensor) -> Tensor:
    """Energy of the patterns of period 2, over that of the fine detail around them (Odena et al. 2016): what
    overlapping strides leave behind, and photographs do not."""
    spectrum = torch.fft.rfft2(x - x.mean((2, 3), keepdim=True)).abs().square().mean((0, 1))
    rows, columns = x.shape[2] // 2, x.shape[3] // 2
    near = slice(int(0.7 * columns), int(0.95 * columns))
    beside = slice(int(0.7 * rows), int(0.95 * rows))
    across = spectrum[:, columns].mean() / spectrum[:, near].mean().clamp(min=1e-12)
    along = spectrum[rows].mean() / spectrum[beside].mean().clamp(min=1e-12)
    return across + along


def _sampled(x: Tensor) -> Tensor:
    flat = x.flatten()
    return flat[:: max(1, len(flat) // 100_000)]


def thumbnails(x: Tensor) -> Tensor:
    """float32 [n, 192]: the pictures in 8 x 8 pixels. Of a table [n, columns], its rows."""
    return x.float().cpu() if x.dim() == 2 else Thumbnails().features(x)


def _wins(a: Tensor, b: Tensor) -> float:
    """The probability that one of a lies above one of b; equals count half."""
    return ((a[:, None] > b).float() + 0.5 * (a[:, None] == b).float()).mean().item()


def _pairwise(x: Tensor) -> Tensor:
    """The mean distance of two rows."""
    return torch.pdist(x).mean()


def _nearest(x: Tensor, known: Tensor, itself: bool = False) -> Tensor:
    """Each row's distance to its nearest known one; with `itself`, x is known, and its own rows do not count."""
    distances = torch.cdist(x, known)
    if itself:
        distances.fill_diagonal_(math.inf)
    return distances.amin(1)


def _scores(generator: Judges, x: Tensor) -> Tensor:
    device = next(generator.parameters()).device  # type: ignore[attr-defined]
    return torch.cat([generator.score(part.to(device)).float().cpu() for part in x.split(BATCH)])


def _pictures(source: Source, indices: np.ndarray) -> Tensor:
    batch: Batch = source.batch(indices)
    assert isinstance(batch, Images | Table)
    return batch.x
