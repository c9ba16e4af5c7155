"""Row ae: autoencoders beside PCA at equal length of the code, on digits, avatars and a table; noise taken away."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from torch import Tensor

from zerosum.bench._frame import Budget, Measure, cached_run, measure
from zerosum.bench._sets import HELDOUT, pictures, principal, unseen
from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.files import cache_dir
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import labelled_columns, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.data.table import Rows, table
from zerosum.latent.directions import decoded, encoded
from zerosum.report import codemap
from zerosum.report.charts import LIGHT, blank, to_png

LENGTHS = {"smoke": (2,), "quick": (2, 8), "full": (2, 4, 8)}  # of the codes of the deep networks
LINEAR, IN_TABLE = 8, 4  # numbers in the code of the linear networks, for digits and for the table
IMAGES = {  # drawn in a run, by what it is for
    "smoke": {"linear": 128, "table": 128, "digits": 128, "avatars": 128, "denoise": 64},
    "quick": {"linear": 64_000, "table": 64_000, "digits": 32_000, "avatars": 16_000, "denoise": 9_600},
    "full": {"linear": 384_000, "table": 128_000, "digits": 192_000, "avatars": 64_000, "denoise": 192_000},
}
NOISY = {"smoke": 2, "quick": 32, "full": 100}  # pictures from which noise is taken away
SIGMA = 25.0  # of 255
STRENGTHS = (0.6, 0.8, 1.0, 1.2)  # `h` of non-local means, in sigmas: the best is taken, judged on the clean pictures
DAMAGE = 8  # px; the side of the square that is painted over in a damaged picture
FIGURES = Path("docs/img")
MAP = 800  # px; the map's side in the docs


def bench(budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """Trains each network once a seed and length, and measures on held-out pictures and rows."""
    sets, rows = pictures(budget), _rows()
    found = [
        _linear("linear_digits", sets["digits"], LINEAR, IMAGES[budget]["linear"], seeds),
        _linear("linear_table", rows, IN_TABLE, IMAGES[budget]["table"], seeds),
    ]
    curves = {name: _curves(source, LENGTHS[budget], IMAGES[budget][name], seeds) for name, source in sets.items()}
    for name, (ours, pca) in curves.items():
        worst = [max(o / p for o, p in zip(row, pca, strict=True)) for row in ours]
        found.append(measure("ae", f"deep_{name}", worst, baseline=pca[-1], baseline_name="PCA's error at the longest"))
    if budget == "full":
        _draw_curves(curves, FIGURES / "ae-curve.png")
        _draw_map(sets["digits"], IMAGES[budget]["digits"], FIGURES / "ae-map.png")
    found += _denoising(sets["avatars"], budget, seeds)
    return [*found, _anomaly(sets["avatars"], max(LENGTHS[budget]), IMAGES[budget]["avatars"], seeds)]


def _rows() -> Rows:
    """The breast cancer data of scikit-learn, 569 rows of 30 columns, by way of a CSV file."""
    data, path = load_breast_cancer(), cache_dir("tables") / "breast_cancer.csv"
    lines = [",".join(names) for names in [data.feature_names, *data.data.astype(str)]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table(path)


def _trained(source: Source, images: int, seed: int, batch: int = 128, **settings: object) -> Generator:
    """The generator of the run's last snapshot."""
    plan = Plan(images=images, seed=seed, batch=batch, save=images, grid=images, score=0)
    return load(cached_run("ae", source, plan, settings).snapshots[-1])


def _errors(made: Tensor, x: Tensor) -> Tensor:
    """Each one's mean square error, float64 [n]."""
    return (made - x).double().square().flatten(1).mean(1)


def _linear(name: str, source: Source, length: int, images: int, seeds: Sequence[int]) -> Measure:
    """A linear autoencoder's error as a multiple of PCA's."""
    x = unseen(source)
    pca = _errors(principal(source, length).nearest(x), x).mean().item()
    nets = [_trained(source, images, seed, batch=64, z=length, network="linear", rate=1e-2) for seed in seeds]
    errors = [_errors(again(net, x), x).mean().item() for net in nets]
    return measure("ae", name, [e / pca for e in errors], baseline=pca, baseline_name=f"PCA's error, k = {length}")


def again(generator: Generator, x: Tensor) -> Tensor:
    """What is made again of x from its codes."""
    return decoded(generator, encoded(generator, x))


def _dense(source: Source, length: int, images: int, seed: int) -> Generator:
    return _trained(source, images, seed, z=length, network="dense", rate=2e-3)


def _curves(
    source: Source, lengths: Sequence[int], images: int, seeds: Sequence[int]
) -> tuple[list[list[float]], list[float]]:
    """The errors of the deep networks at each length, a row a seed, and PCA's."""
    x, pca = unseen(source), principal(source, max(lengths))
    ours = [[_errors(again(_dense(source, k, images, seed), x), x).mean().item() for k in lengths] for seed in seeds]
    return ours, [_errors(pca.nearest(x, k), x).mean().item() for k in lengths]


def _denoising(source: Source, budget: Budget, seeds: Sequence[int]) -> list[Measure]:
    """PSNR over that of non-local means, on the same noise, even and uneven."""
    images, clean = IMAGES[budget]["denoise"], unseen(source)[: NOISY[budget]]
    random = np.random.default_rng(0)
    noise = torch.from_numpy(random.standard_normal(clean.shape, dtype=np.float32))
    nets = [_trained(source, images, seed, batch=64, z=256, noise=SIGMA) for seed in seeds]
    found, drawn = [], [clean]
    for name, sigma in (
        ("even", torch.tensor(SIGMA)),
        ("uneven", uneven(len(clean), clean.shape[2], clean.shape[3], random)),
    ):
        noisy = clean + sigma / 127.5 * noise
        theirs = _best([_non_local_means(noisy, strength) for strength in STRENGTHS], clean)
        made = [again(net, noisy) for net in nets]
        base = psnr(theirs, clean)
        found.append(
            measure(
                "ae",
                f"denoise_{name}",
                [psnr(one, clean) - base for one in made],
                baseline=base,
                baseline_name="PSNR of non-local means in dB",
            )
        )
        drawn += [noisy, theirs, made[0]]
    if budget == "full":
        titles = ["clean", "even noise", "NLM", "ae", "uneven noise", "NLM", "ae"]
        columns = [to_uint8(x[:6].clamp(-1, 1)) for x in drawn]
        save_png(labelled_columns(columns, titles, scale=3), FIGURES / "ae-denoised.png")
    return found


def uneven(num: int, height: int, width: int, random: np.random.Generator) -> Tensor:
    """Sigmas, float32 [num, 1, height, width], that rise evenly across each picture from 0 to twice SIGMA, in a
    direction of its own."""
    angles = random.uniform(0, 2 * np.pi, (num, 1, 1))
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
    slope = np.sin(angles) * rows + np.cos(angles) * columns
    slope /= np.abs(slope).max((1, 2), keepdims=True)
    return torch.from_numpy((SIGMA * (1 + slope))[:, None].astype(np.float32))


def psnr(made: Tensor, clean: Tensor) -> float:
    """The mean peak signal-to-noise ratio in dB of pictures in [-1, 1], whose range is 2."""
    return (10 * (4 / _errors(made.clamp(-1, 1), clean)).log10()).mean().item()


def _best(candidates: Sequence[Tensor], clean: Tensor) -> Tensor:
    return max(candidates, key=lambda made: psnr(made, clean))


def _non_local_means(noisy: Tensor, strength: float) -> Tensor:
    """scikit-image's, told SIGMA; its `h` is `strength` sigmas."""
    try:
        from skimage.restoration import denoise_nl_means
    except ImportError as error:
        raise Refusal("bench ae compares with scikit-image: pip install 'zerosum[bench]'") from error

    sigma = SIGMA / 255
    told = {"h": strength * sigma, "sigma": sigma, "patch_size": 5, "patch_distance": 6, "channel_axis": 0}
    pictures = [denoise_nl_means((x.double().numpy() + 1) / 2, **told) for x in noisy]
    return torch.from_numpy(np.stack(pictures)).float() * 2 - 1


def _anomaly(source: Source, length: int, images: int, seeds: Sequence[int]) -> Measure:
    """How well the error tells damaged pictures from whole ones: the area under the ROC curve."""
    whole = unseen(source)
    half = len(whole) // 2
    x = torch.cat([whole[:half], damaged(whole[half:])])
    truth = np.arange(len(x)) >= half
    pca = principal(source, length)
    nets = [_dense(source, length, images, seed) for seed in seeds]
    areas = [roc_auc_score(truth, _errors(again(net, x), x)) for net in nets]
    base = roc_auc_score(truth, _errors(pca.nearest(x), x))
    note = "printed only; row anomaly judges"
    more = {"baseline": base, "baseline_name": "the error of PCA with as many numbers"}
    return measure("ae", "anomaly", areas, applies=False, note=note, **more)


def damaged(x: Tensor) -> Tensor:
    """Each picture with a square of one chance colour somewhere."""
    random, x = np.random.default_rng(1), x.clone()
    for picture in x:
        top, left = (random.integers(0, side - DAMAGE + 1) for side in picture.shape[1:])
        colour = random.uniform(-1, 1, (len(picture), 1, 1)).astype(np.float32)
        picture[:, top : top + DAMAGE, left : left + DAMAGE] = torch.from_numpy(colour)
    return x


def _draw_curves(curves: Mapping[str, tuple[list[list[float]], list[float]]], path: Path) -> None:
    """Error against the length of the code: PCA's, and the deep networks' of each seed."""
    figure, lengths = blank(7.2, 3.0), LENGTHS["full"]
    for i, (name, (ours, pca)) in enumerate(curves.items()):
        axes = figure.add_subplot(1, len(curves), i + 1)
        axes.plot(lengths, pca, color=LIGHT.second, linestyle=(0, (4, 2)), marker="o", markersize=4, label="PCA")
        for row in ours:
            axes.plot(lengths, row, color=LIGHT.accent, marker="o", markersize=4, label="ae, a line a seed")
        axes.set_title(name, loc="left", fontsize=10, color=LIGHT.ink)
        axes.set_ylim(bottom=0)
        axes.set_xticks(lengths)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=LIGHT.muted, labelsize=8.5, length=0)
        axes.set_xlabel("numbers in the code", fontsize=8.5, color=LIGHT.muted)
        if i == 0:
            axes.set_ylabel("mean square error", fontsize=8.5, color=LIGHT.muted)
            handles, labels = axes.get_legend_handles_labels()
            axes.legend(handles[:2], labels[:2], frameon=False, fontsize=8.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_png(figure))


def _draw_map(source: Source, images: int, path: Path) -> None:
    """Held-out digits at the places of their codes of two numbers, seed 0."""
    heldout = source.heldout()
    assert heldout is not None
    batch = heldout.batch(np.arange(min(3 * HELDOUT, len(heldout))))
    x, y = batch.x, batch.y  # type: ignore[attr-defined]
    places, axes_are = codemap.plane(encoded(_dense(source, 2, images, 0), x).numpy())
    digit = source.shape.attributes[0]
    figure = codemap.draw(places, axes_are, [digit.classes[code] for code in y[:, 0]], digit.name, to_uint8(x))
    picture = Image.open(io.BytesIO(to_png(figure))).convert("RGB")
    picture.thumbnail((MAP, MAP))
    save_png(picture.quantize(256, Image.Quantize.MAXCOVERAGE), path)  # the median cut loses colours of classes
