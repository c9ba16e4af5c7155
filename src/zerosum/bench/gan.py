"""Row gan: digits and clothes by perceptrons against PCA-Gaussian; and why D must move, and all fakes be remembered."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from zerosum import api
from zerosum.bench._classifier import classifier
from zerosum.bench._curves import Curves, draw
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.bench._moves import moved
from zerosum.core.batch import Images, Source
from zerosum.core.generator import LatentGenerator, load
from zerosum.core.pictures import from_uint8, grid, labelled_columns, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.avatars import avatars
from zerosum.data.mnist import fashion_mnist, mnist
from zerosum.games.gan import GAN
from zerosum.losses.adversarial import minimax, says_real
from zerosum.metrics.classes import RARE
from zerosum.metrics.panel import Panel

FOLDER = Path("docs/img")
WORD = "D's word on the fakes"
LOSSES = {"gradient of log(1 - D(G(z)))": minimax, "gradient of -log D(G(z))": says_real}
TRICKS = 8  # generators that one D meets, one after the other


@dataclass(frozen=True)
class Amounts:
    """What a budget pays for."""

    images: int  # pictures to train on
    classifier: int  # pictures to train the classifier on
    judged: int
    deceive: int  # steps of a new G against a fixed D
    learn: int  # steps of D on the fakes that it has seen


AMOUNTS = {
    "smoke": Amounts(128, 128, 64, 2, 1),
    "quick": Amounts(19_200, 6_400, 500, 100, 50),
    "full": Amounts(768_000, 60_000, 1000, 400, 200),
}


@dataclass(frozen=True)
class Judged:
    """A trained generator with its scores."""

    generator: LatentGenerator
    scores: dict
    classes: int  # that are made at least a tenth as often as they are real


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains both sets once a seed, and on the digits lets a new G play against what D has become and stays."""
    amounts, found = AMOUNTS[budget], []
    for name, source in _sources(budget).items():
        panel = Panel(source, n=amounts.judged)
        trained = [_judged(_trained(source, amounts, seed), panel, amounts) for seed in seeds]
        found += _against_gaussian(name, trained)
        if budget == "full":
            save_png(grid(trained[0].generator.sample(64, seed=0), scale=2), FOLDER / f"gan-{name}.png")
        if name == "mnist":
            found += _fixed(source, panel, trained, seeds, amounts)
            if budget == "full":
                _draw_lessons(source, trained[0].generator, seeds[0], amounts)
    return found


def _sources(budget: Budget) -> dict[str, Source]:
    if budget == "smoke":
        faces = avatars(32, count=128, heldout_count=64, progress=False)
        return {"mnist": faces, "fashion": faces}
    return {"mnist": mnist(), "fashion": fashion_mnist()}


def _trained(source: Source, amounts: Amounts, seed: int) -> Run:
    return cached_run("gan", source, Plan(images=amounts.images, score=0, seed=seed))


def _judged(run: Run, panel: Panel, amounts: Amounts) -> Judged:
    generator = load(run.snapshots[-1])
    pixels = generator.sample(amounts.judged, seed=1000)
    return Judged(generator, panel.score(pixels), _classes(pixels, panel.source, amounts.classifier))


def _classes(pixels: np.ndarray, source: Source, images: int) -> int:
    """How many classes of the first attribute a classifier, trained on real pictures alone, finds often enough."""
    told = classifier(source, images).told(from_uint8(pixels))[:, 0]
    num = len(source.shape.attributes[0].classes)
    labels = source.batch(np.arange(min(len(source), 10_000))).y  # type: ignore[attr-defined]
    made, real = (torch.bincount(codes, minlength=num) / len(codes) for codes in (told, labels[:, 0]))
    return int((made >= RARE * real).sum())


def _against_gaussian(name: str, trained: Sequence[Judged]) -> list[Measure]:
    """Each score as a multiple of what PCA-Gaussian gets in the same judging, and the classes that are made."""
    found = []
    for score in ("kid", "kid_random", "coverage"):
        values = [t.scores[score]["value"] / max(t.scores[score]["pca_gaussian"], 1e-9) for t in trained]
        baseline = trained[0].scores[score]["pca_gaussian"]
        found.append(measure("gan", f"{name}_{score}", values, baseline=baseline, baseline_name="PCA-Gaussian's score"))
    return [*found, measure("gan", f"{name}_classes", [float(t.classes) for t in trained])]


def _fixed(
    source: Source, panel: Panel, trained: Sequence[Judged], seeds: Sequence[int], amounts: Amounts
) -> list[Measure]:
    """What the fixed D says of the fakes that a new G makes for it, and how little of the data they cover."""
    words, shares = [], []
    for it, seed in zip(trained, seeds, strict=True):
        fakes = _tricked(_judge(it.generator), source, amounts, seed)
        words.append(_word(_judge(it.generator), fakes))
        own = it.scores["coverage"]["value"]
        shares.append(panel.score(to_uint8(fakes))["coverage"]["value"] / max(own, 1e-3))
    return [measure("gan", "fixed_word", words), measure("gan", "fixed_coverage", shares)]


def _judge(generator: LatentGenerator) -> nn.Module:
    assert generator.judge is not None
    return generator.judge


def _tricked(D: nn.Module, source: Source, amounts: Amounts, seed: int) -> Tensor:
    """Fakes, float [n, C, H, W], of a new G that has played against D, which stood still."""
    game = api.build("gan", source, {}, seed=seed + 1000)
    assert isinstance(game, GAN)
    game.D = D.eval().requires_grad_(False)  # type: ignore[assignment]
    empty = (Images(torch.zeros(64, 1)) for _ in range(amounts.deceive))  # only their number matters to G
    for _ in moved(game, "G", game.G_loss, empty):
        pass
    with torch.no_grad():
        return game.eval().fakes(amounts.judged)


@torch.no_grad()
def _word(D: nn.Module, x: Tensor) -> float:
    """The mean probability of "real" that D gives the pictures."""
    return D.eval()(x).sigmoid().mean().item()


def _draw_lessons(source: Source, generator: LatentGenerator, seed: int, amounts: Amounts) -> None:
    """The docs' figures, from the first seed."""
    _draw_saturation(source, seed)
    D = _judge(generator)
    own, trick = generator.images(6, seed=0), _tricked(D, source, amounts, seed)
    real = source.batch(np.arange(6)).x  # type: ignore[attr-defined]
    titles = [f"{name}: {_word(D, x):.2f}" for name, x in (("real", real), ("own G", own), ("new G", trick))]
    save_png(labelled_columns([to_uint8(x[:6]) for x in (real, own, trick)], titles), FOLDER / "gan-fixed.png")
    words = {name: _remembered(D, source, amounts, seed, keeps) for name, keeps in MEMORIES.items()}
    numbers = range(1, TRICKS + 1)
    curves = {name: (numbers, found) for name, found in words.items()}
    draw([Curves("What D says at the end of each G's fakes", "generators, in turn", curves)], FOLDER / "gan-memory.png")


MEMORIES: dict[str, Callable[[list[Tensor]], list[Tensor]]] = {
    "D learnt the newest fakes": lambda tricks: tricks[-1:],
    "D learnt all fakes": lambda tricks: tricks,
}


class Pool(nn.Module):
    """A generator that draws from made pictures."""

    def __init__(self, made: Tensor):
        super().__init__()
        self.made = nn.Parameter(made, requires_grad=False)

    def forward(self, z: Tensor) -> Tensor:
        """As many of them, whatever z [n, ...] is."""
        return self.made[torch.randint(len(self.made), (len(z),))]


def _remembered(
    D: nn.Module, source: Source, amounts: Amounts, seed: int, keeps: Callable[[list[Tensor]], list[Tensor]]
) -> list[float]:
    """New generators one after the other, each against D as it is; after each, D learns what it `keeps` of their
    fakes. What D says in the end of the fakes of each."""
    game, tricks = api.build("gan", source, {}, seed), []
    assert isinstance(game, GAN)
    for number in range(TRICKS):
        tricks.append(_tricked(D, source, amounts, seed + number))
        D = copy.deepcopy(D).requires_grad_(True)
        game.G, game.D = Pool(torch.cat(keeps(tricks))), D  # type: ignore[assignment]
        for _ in moved(game, "D", game.D_loss, _drawn(source, amounts.learn, number)):
            pass
    return [_word(D, trick) for trick in tricks]


def _drawn(source: Source, num: int, seed: int) -> Iterator[Images]:
    """So many batches of 64."""
    random = np.random.default_rng(seed)
    for _ in range(num):
        yield source.batch(random.integers(len(source), size=64))  # type: ignore[misc]


def _draw_saturation(source: Source, seed: int) -> None:
    """What of either loss reaches a G that has not learnt yet, while D alone learns to tell its fakes."""
    game = api.build("gan", source, {}, seed)
    assert isinstance(game, GAN)
    steps, found = range(1, 201), {name: [] for name in (WORD, *LOSSES)}  # type: ignore[var-annotated]
    for _ in moved(game, "D", game.D_loss, _drawn(source, len(steps), seed)):
        logits = game.D(game.fakes(256))
        found[WORD].append(logits.sigmoid().mean().item())
        for name, loss in LOSSES.items():
            gradients = torch.autograd.grad(loss(logits), list(game.G.parameters()), retain_graph=True)
            found[name].append(torch.cat([g.flatten() for g in gradients]).norm().item())
    curves = {name: (steps, values) for name, values in found.items()}
    draw([Curves("While D alone learns", "steps of D", curves, ("linear", "log"))], FOLDER / "gan-losses.png")
