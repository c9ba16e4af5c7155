"""Row vaegan: its KID against the VAE's at equal images, and attributes added and taken away in its latent space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from zerosum.bench._frame import Budget, Measure, measure
from zerosum.bench.vae import FIGURES, IMAGES, trained
from zerosum.core.batch import Images, Source
from zerosum.core.generator import Generator
from zerosum.core.pictures import grid, labelled_columns, save_png, to_uint8
from zerosum.data.avatars import avatars
from zerosum.latent.directions import decoded, encoded, mean_difference, moved
from zerosum.metrics.classes import Labelled, class_shares
from zerosum.metrics.panel import Panel

KNOWN = 2000  # labelled training pictures: for the directions, and for the classifier
EDITED = 200  # held-out pictures that an edit is tried on, at the most
STRENGTH = 1.5
CLASSES = ("without", "with")
PRINTED = {"applies": False, "note": "for information"}


@dataclass(frozen=True)
class Edit:
    """An attribute, its classes that count as having it and as lacking it, and whether to add it (1) or remove (-1)."""

    attribute: str
    having: tuple[str, ...]
    lacking: tuple[str, ...]
    sign: int

    def codes(self, source: Source, images: Images) -> Tensor:
        """1 for those that have it, 0 for those that lack it, -1 for the others: int64 [n]."""
        assert images.y is not None
        column = [a.name for a in source.shape.attributes].index(self.attribute)
        classes = source.shape.attributes[column].classes
        code_of = torch.tensor([(name in self.having) - (name not in self.having + self.lacking) for name in classes])
        return code_of[images.y[:, column]]

    def wants(self, codes: Tensor) -> Tensor:
        """bool [n]: those on which the edit has something to do."""
        return codes == (self.sign < 0)


EDITS = {
    "glasses_removed": Edit("glasses", ("glasses", "sunglasses"), ("none",), -1),
    "beard_added": Edit("beard", ("short", "full", "long"), ("none",), 1),
    "greyer": Edit("hair colour", ("grey",), ("black", "brown", "auburn", "blonde", "red"), 1),
}


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains vaegan and vae on avatars at 32 pixels, once a seed, with as many images, and judges both alike."""
    smoke = {"count": 256, "heldout_count": 128, "progress": False}
    source = avatars(32, **smoke) if budget == "smoke" else avatars(32)  # type: ignore[arg-type]
    panel = Panel(source, n=64 if budget == "smoke" else 1000)
    ours, theirs = ([trained(game, source, IMAGES[budget], seed) for seed in seeds] for game in ("vaegan", "vae"))
    if budget == "full":
        _draw(source, ours[0])
    judged = [[panel.score(g.sample(panel.n, seed=1000)) for g in generators] for generators in (ours, theirs)]
    return [*_beside_vae(*judged), *_edits(source, ours)]


def _beside_vae(ours: Sequence[Mapping], theirs: Sequence[Mapping]) -> list[Measure]:
    """Each score as a multiple of the VAE's of the same seed."""
    found = []
    for name in ("kid", "kid_random", "coverage"):
        values = [a[name]["value"] / max(b[name]["value"], 1e-9) for a, b in zip(ours, theirs, strict=True)]
        beside = {"baseline": theirs[0][name]["value"], "baseline_name": "the VAE's score"}
        found.append(measure("vaegan", name, values, **beside, **(PRINTED if name == "coverage" else {})))
    return found


def _edits(source: Source, generators: Sequence[Generator]) -> list[Measure]:
    """The share of edited pictures to which a classifier of pixels gives the wished-for class, which it learnt on other
    pictures; mere reconstructions beside it."""
    known, unseen = labelled(source), labelled(source.heldout())
    steps = [directions(source, generator) for generator in generators]
    found = []
    for name, edit in EDITS.items():
        train, test = (Labelled(rows(i.x), edit.codes(source, i).numpy()) for i in (known, unseen))
        x, wished = unseen.x[edit.wants(edit.codes(source, unseen))][:EDITED], CLASSES[edit.sign > 0]
        before, after = (
            [
                class_shares(train, test, rows(moved(g, x, step[name], amount)), CLASSES).made[wished]
                for g, step in zip(generators, steps, strict=True)
            ]
            for amount in (0.0, STRENGTH)
        )
        beside = {"baseline": before[0], "baseline_name": "mere reconstructions", **PRINTED}
        found.append(measure("vaegan", name, after, **beside))
    return found


def rows(x: Tensor) -> np.ndarray:
    """Pictures as the classifier takes them, [n, C * H * W]."""
    return x.flatten(1).numpy()


def labelled(source: Source | None) -> Images:
    """The source's first pictures with their labels."""
    assert source is not None
    images = source.batch(np.arange(min(KNOWN, len(source))))
    assert isinstance(images, Images)
    return images


def directions(source: Source, generator: Generator) -> dict[str, Tensor]:
    """What each edit adds to a code."""
    known = labelled(source)
    found = {}
    for name, edit in EDITS.items():
        codes = edit.codes(source, known)
        found[name] = edit.sign * mean_difference(generator, known.x[codes == 1], known.x[codes == 0])
    return found


def _draw(source: Source, generator: Generator) -> None:
    """The docs' figures: samples, reconstructions below their originals, and the edits, alone and together."""
    unseen, steps = labelled(source.heldout()), directions(source, generator)
    again = torch.stack([unseen.x[:12], decoded(generator, encoded(generator, unseen.x[:12]))]).flatten(0, 1)
    x = unseen.x[torch.stack([edit.wants(edit.codes(source, unseen)) for edit in EDITS.values()]).all(0)][:6]
    columns = [moved(generator, x, step, STRENGTH) for step in (*steps.values(), torch.stack([*steps.values()]).sum(0))]
    pixels = [to_uint8(part) for part in (x, decoded(generator, encoded(generator, x)), *columns)]
    titles = ["face", "made again", "no glasses", "a beard", "greyer", "all three"]
    FIGURES.mkdir(parents=True, exist_ok=True)
    save_png(generator.grid(36, seed=0), FIGURES / "vaegan-avatars.png")
    save_png(grid(to_uint8(again), columns=12, scale=2), FIGURES / "vaegan-again.png")
    save_png(labelled_columns(pixels, titles, scale=3), FIGURES / "vaegan-edits.png")
