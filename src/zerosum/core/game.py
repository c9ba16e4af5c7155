"""The vocabulary of a game: players, turns, a clock. The trainer plays it and knows no paper's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from zerosum.core.batch import DataShape, Images, Kinds, Source
from zerosum.core.plan import Plan

if TYPE_CHECKING:
    from zerosum.core.generator import Generator

Params = Iterable[nn.Parameter]
Notes = Mapping[str, Tensor]  # named numbers worth a line in the log
Moves = tuple[Tensor | Mapping[str, Tensor], Notes]


@dataclass
class Clock:
    """Images shown is the only clock; fades, annealing and schedules read it.

    `images`: real pictures drawn so far. `rounds`: rounds played so far. `total`: pictures in the whole run.
    """

    images: int = 0
    rounds: int = 0
    total: int = 1

    @property
    def fraction(self) -> float:
        """How much of the run is over, in [0, 1]."""
        return min(1.0, self.images / self.total)


def constant(clock: Clock) -> float:
    """The rate that does not change."""
    return 1.0


@dataclass(frozen=True)
class Player:
    """Networks that move together, and the optimizer that moves them.

    `rate` is a factor on the learning rate, read before each step; `after_step` runs after it (WGAN's clipping).
    """

    nets: Sequence[nn.Module]
    optimizer: Callable[[Params], Optimizer]
    rate: Callable[[Clock], float] = constant
    after_step: Callable[[], None] | None = None

    def parameters(self) -> list[nn.Parameter]:
        """Every parameter of the player's networks, each once, in a fixed order."""
        return list(dict.fromkeys(p for net in self.nets for p in net.parameters()))


@dataclass(frozen=True)
class Turn:
    """One move of a round. Only the parameters of its own players move.

    `loss(batch, clock)` returns `(loss, notes)`, where the loss is one scalar, or one scalar a player; None passes
    the turn (a discriminator that wins). Turns that name one player share its optimizer.
    """

    players: str | tuple[str, ...]
    loss: Callable[[Any, Clock], Moves | None]
    draws: bool = True  # False: it plays on the batch of the turn before, and the clock stands still
    times: int = 1  # n_critic; each repeat that draws has its own batch
    every: int = 1  # lazy regularisation; the loss itself multiplies by k, as the papers do
    start: float = 0.0  # stages, as fractions of the run
    stop: float = 1.0

    def names(self) -> tuple[str, ...]:
        """The players that move."""
        return (self.players,) if isinstance(self.players, str) else self.players

    def is_due(self, clock: Clock) -> bool:
        """Whether this turn is played in the round that `clock` stands at."""
        in_stage = self.start <= clock.fraction and (clock.fraction < self.stop or self.stop >= 1)
        return in_stage and clock.rounds % self.every == 0


class Game(nn.Module):
    """A paper: its networks and its rules. A subclass's docstring says what it is, authors, year, arXiv id.

    That docstring's first year, `when`, `stems_from` and `plays_on` are what `zerosum games` shows: plain values, which
    `core.family` reads off the file.

    All randomness in a loss comes from torch's global generator, which the trainer keys to the picture's number.
    State that a game keeps (a pool of past fakes, ADA's p, a fade's alpha) is a fixed-size buffer of its modules.
    """

    Config: ClassVar[type]  # frozen dataclass; its field docstrings are the command line's help
    when: ClassVar[str]  # when to use it, in a sentence or two
    stems_from: ClassVar[str | None] = None  # the game that it grew out of
    restraint: str | None = None  # the setting that holds D back, for findings to advise: "gamma"
    tiny: ClassVar[Any]  # the Config that the contract test builds
    tiny_parent: ClassVar[str | None] = None  # a game whose tiny run this one needs first
    plays_on: ClassVar[Kinds] = Images  # or several: Images | Table

    def __init__(self, config: Any, shape: DataShape):
        super().__init__()
        self.config = config
        self.shape = shape

    @classmethod
    def name(cls) -> str:
        """The catalogue's name: that of the game's file."""
        return cls.__module__.rpartition(".")[2]

    def meet(self, source: Source) -> None:
        """Looks at the data before the first round. What it takes from them lies in buffers, and is the same each time:
        a run that goes on meets them again."""

    def players(self) -> dict[str, Player]:
        """Who plays, by name."""
        raise NotImplementedError

    def turns(self) -> list[Turn]:
        """The turns of a round, in order."""
        raise NotImplementedError

    def generator(self) -> Generator:
        """The live networks wrapped for use; the discriminator comes along as its judge."""
        raise NotImplementedError

    def plan(self) -> Plan:
        """The paper's own batch and budget, for what the user leaves open."""
        return Plan()

    def settings(self) -> dict:
        """The config as plain values, for headers and hashes."""
        return asdict(self.config)
