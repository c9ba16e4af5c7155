"""Row sliders: whether named directions do what they are called, and leave the rest alone, on faces never seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zerosum.bench._classifier import Classifier, classifier
from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.core.batch import Images, Source
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import labelled_columns, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.latent.directions import calibrated, decoded, encoded, mean_difference
from zerosum.latent.history import History
from zerosum.latent.normals import Contrast, contrasts, sliders_from_labels
from zerosum.latent.sliders import Slider, Sliders, Wish

FIGURES = Path("docs/img")
FIRST = 1000  # of the held-out faces: on some before it the ridge and the stretch were chosen
COMMON = ("glasses", "glasses:sunglasses", "smile", "beard", "hair length:long", "hair colour:black", "skin:black")
RARE = ("hat:beanie", "hat:hijab", "beard:long")
BELONG = ({"hair length", "hair style", "hair colour", "hat"}, {"smile", "mood"}, {"beard", "moustache", "hair colour"})


@dataclass(frozen=True)
class Amounts:
    """Side of the faces, images of training, labelled faces, edited faces an attribute, images for the classifier."""

    side: int
    images: int
    labelled: int
    edited: int
    classifier: int


AMOUNTS = {
    "smoke": Amounts(32, 64, 300, 8, 64),
    "quick": Amounts(64, 9_600, 2000, 50, 9_600),
    "full": Amounts(64, 41_600, 4000, 200, 60_000),
}


@dataclass(frozen=True)
class Case:
    """One generator with its sliders, and codes of faces that it never saw; `seen`: what their pictures are told as."""

    generator: Generator
    sliders: Sliders
    code: Tensor
    seen: Tensor
    net: Classifier
    source: Source
    edited: int

    def told(self, code: Tensor) -> Tensor:
        """The classes of the pictures made of these codes, int64 [n, A]."""
        return self.net.told(decoded(self.generator, code))

    def contrast(self, name: str) -> Contrast:
        """What the slider of this name parts."""
        return next(each for each in contrasts(self.source.shape.attributes) if each.name == name)

    def lacking(self, name: str) -> Tensor:
        """bool [n]: the first of the codes whose pictures are told to lack it."""
        lacks = ~self.has(name, self.seen)
        return lacks & (lacks.cumsum(0) <= self.edited)

    def has(self, name: str, told: Tensor) -> Tensor:
        """bool [n]."""
        contrast = self.contrast(name)
        return torch.isin(told[:, contrast.label], torch.tensor(contrast.having))

    def moved(self, name: str, code: Tensor, locked: Sequence[str] = ()) -> Tensor:
        """Codes after a step of +1."""
        return code + self.sliders.change(code, {name: Wish(1.0)}, locked)


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains house on avatars, once a seed, finds its directions by its own encoder, and edits held-out faces."""
    amounts = AMOUNTS[budget]
    few = {"count": 300, "heldout_count": 64, "progress": False} if budget == "smoke" else {}
    source = avatars(amounts.side, **few)  # type: ignore[arg-type]
    cases = [_case(source, amounts, seed) for seed in seeds]
    names = {"common": _there(cases, COMMON), "rare": _there(cases, RARE)}
    if budget == "full":
        _draw(cases[0], [*names["common"], *names["rare"]])
    plain = [_by_mean_difference(case, names["common"]) for case in cases]
    found = [_success(kind, cases, names[kind]) for kind in ("common", "rare")]
    return [*found, _leakage(cases, plain, names["common"]), _locked(cases, names["common"]), _undo(cases)]


def _case(source: Source, amounts: Amounts, seed: int) -> Case:
    generator = load(cached_run("house", source, Plan(images=amounts.images, seed=seed, score=0)).snapshots[-1])
    known, heldout = source.batch(np.arange(amounts.labelled)), source.heldout()
    assert heldout is not None
    first = min(FIRST, len(heldout) // 2)
    unseen = heldout.batch(np.arange(first, min(len(heldout), first + 5 * amounts.edited)))
    assert isinstance(known, Images) and isinstance(unseen, Images) and known.y is not None  # noqa: PT018
    codes = encoded(generator, known.x)
    sliders = Sliders("z")
    for slider in sliders_from_labels(codes, known.y.numpy(), source.shape.attributes):
        if isinstance(slider, Slider) and slider.name in (*COMMON, *RARE):
            sliders.add(calibrated(generator, slider, codes))
    net = classifier(source, amounts.classifier)
    code = encoded(generator, unseen.x)
    return Case(generator, sliders, code, net.told(decoded(generator, code)), net, source, amounts.edited)


def _there(cases: Sequence[Case], names: Sequence[str]) -> list[str]:
    """Those for which every case has a slider and faces that lack it: of a smoke's few faces, not all."""
    return [n for n in names if all(n in case.sliders.by_name and case.lacking(n).any() for case in cases)]


def _success(kind: str, cases: Sequence[Case], names: Sequence[str]) -> Measure:
    """The share of faces lacking an attribute that have it after +1, of the attribute that does worst; beside it what
    chance directions of the same length do."""
    shares = [
        [_share(case, name, case.sliders[name].stretch * case.sliders[name].step) for name in names] for case in cases
    ]
    luck = [_share(cases[0], name, _chance(cases[0], name)) for name in names]
    return measure(
        "sliders",
        f"success_{kind}",
        [100 * min(each, default=0.0) for each in shares],
        baseline=100 * max(luck, default=0.0),
        baseline_name="the best of chance directions",
    )


def _share(case: Case, name: str, step: Tensor) -> float:
    return case.has(name, case.told(case.code[case.lacking(name)] + step)).float().mean().item()


def _chance(case: Case, name: str) -> Tensor:
    step = case.sliders[name].stretch * case.sliders[name].step
    other = torch.randn(step.shape, generator=torch.Generator().manual_seed(0))
    return other * step.norm() / other.norm()


def _by_mean_difference(case: Case, names: Sequence[str]) -> Case:
    """The same with plain mean differences, as long as the sliders' steps."""
    known = case.source.batch(np.arange(min(4000, len(case.source))))
    assert isinstance(known, Images) and known.y is not None  # noqa: PT018
    plain = Sliders("z")
    for name in names:
        has = case.has(name, known.y)
        step = mean_difference(case.generator, known.x[has], known.x[~has])
        ours = case.sliders[name]
        plain.add(Slider(name, step * ours.stretch * ours.step.norm() / step.norm()))
    return replace(case, sliders=plain)


def leakage(case: Case, names: Sequence[str]) -> np.ndarray:
    """[edited, changed]: the share of faces on which another attribute is told otherwise after the edit; not a number
    where the two belong together."""
    found = np.full((len(names), len(names)), np.nan)
    for i, name in enumerate(names):
        chosen = case.lacking(name)
        before, after = case.seen[chosen], case.told(case.moved(name, case.code[chosen]))
        for j, other in enumerate(names):
            if not _belong(name, other):
                found[i, j] = (case.has(other, before) != case.has(other, after)).float().mean().item()
    return found


def _belong(name: str, other: str) -> bool:
    a, b = (each.split(":")[0] for each in (name, other))
    return a == b or any({a, b} <= group for group in BELONG)


def _leakage(cases: Sequence[Case], plain: Sequence[Case], names: Sequence[str]) -> Measure:
    """The mean off the diagonal, beside that of mean differences."""
    beside = {"baseline": _mean(leakage(plain[0], names)), "baseline_name": "mean difference, as long a step"}
    return measure("sliders", "leakage", [_mean(leakage(case, names)) for case in cases], **beside)


def _mean(matrix: np.ndarray) -> float:
    """Over what is a number; of a smoke's few attributes, there may be none."""
    known = matrix[~np.isnan(matrix)]
    return float(known.mean()) if len(known) else 0.0


def _locked(cases: Sequence[Case], names: Sequence[str]) -> Measure:
    """As leakage, each other attribute locked in its turn."""
    values = []
    for case in cases:
        changed = []
        for name in names:
            chosen = case.lacking(name)
            before = case.seen[chosen]
            for other in (each for each in names if not _belong(name, each)):
                after = case.told(case.moved(name, case.code[chosen], [other]))
                changed.append((case.has(other, before) != case.has(other, after)).float().mean().item())
        values.append(float(np.mean(changed)) if changed else 0.0)
    return measure("sliders", "locked", values)


def _undo(cases: Sequence[Case]) -> Measure:
    """Codes that differ in any bit after edits and as many undos, and then at each redo."""
    values = []
    for case in cases:
        wrong = 0
        for code in case.code[:20]:
            history = History.of(code, "", "z")
            for name in [*case.sliders.by_name] * 10:
                history.edit(case.sliders.change(history.code()[None], {name: Wish(0.37)})[0], [name], [])
            states = [history.code(state) for state in range(len(history.edits) + 1)]
            history.undo(len(history.edits))
            wrong += not torch.equal(history.code(), code)
            for state in states[1:]:
                history.redo()
                wrong += not torch.equal(history.code(), state)
        values.append(float(wrong))
    return measure("sliders", "undo", values)


def _draw(case: Case, names: Sequence[str]) -> None:
    """The docs' figures: six faces, each attribute added, and what changes along with it."""
    from matplotlib.figure import Figure

    from zerosum.report.charts import to_png

    code = case.code[:6]
    columns: Mapping[str, Tensor] = {"redrawn": code, **{name: case.moved(name, code) for name in names}}
    pixels = [to_uint8(decoded(case.generator, each)) for each in columns.values()]
    FIGURES.mkdir(parents=True, exist_ok=True)
    save_png(labelled_columns(pixels, [name.split(":")[-1] for name in columns], scale=2), FIGURES / "sliders.png")
    matrix = leakage(case, names)
    figure = Figure((6, 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(matrix, vmin=0, vmax=1, cmap="magma")
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    for (i, j), value in np.ndenumerate(matrix):
        if not np.isnan(value):
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.6 else "black")
    axes.set_title("share changed (column) by an edit (row)")
    (FIGURES / "sliders-leakage.png").write_bytes(to_png(figure))
