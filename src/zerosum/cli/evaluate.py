"""Say how good a run, a snapshot or a folder of pictures is, beside real pictures and the simplest model."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from zerosum.cli._common import parse, refuse_within, resolution, show
from zerosum.core.errors import Refusal
from zerosum.core.plan import check_seed
from zerosum.core.zoo import is_of_the_zoo, place
from zerosum.metrics.names import MORE, PICTURES, SCORES, More

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from zerosum.core.batch import DataShape, Source
    from zerosum.core.generator import Generator
    from zerosum.metrics.further import Further

BATCH = 64
FID_PICTURES = 10_000


@dataclass(frozen=True)
class Options:
    """What is judged, and against what. What each score means, and what it cannot tell: docs/scores.md."""

    what: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN|SNAPSHOT|DIR")]
    """A run's folder (its best snapshot), a snapshot (.safetensors), or a folder or zip of pictures from any tool."""
    against: Annotated[str | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="(default: the run's data)")] = None
    """The real pictures: a folder, a zip, or the name of a set."""
    scores: tuple[More, ...] = ()
    """More than the two KIDs and coverage: fid prdc memorisation classes diversity."""
    all: bool = False
    """All of these."""
    versus: Annotated[str | None, tyro.conf.arg(metavar="RUN|SNAPSHOT|DIR", help_behavior_hint="(optional)")] = None
    """What else to judge in the same way: says whether the two differ by more than chance."""
    pairs: Annotated[Path | None, tyro.conf.arg(metavar="PNG", help_behavior_hint="(optional)")] = None
    """Draw the made pictures that lie nearest to a training picture beside it, here; looks for copies."""
    resolution: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N [N]")] = ()
    """Pixels a side, or height and width, at which pictures are compared. [default: the run's own; 64 for a folder]"""
    n: Annotated[int | None, tyro.conf.arg(help_behavior_hint="(default: 2000; for fid 10000)")] = None
    """Pictures on each side; more give narrower intervals."""
    seed: int = 0
    """Decides the latents, and which pictures are the reference."""
    judges: tuple[Literal["efficientnet", "random"], ...] = ("efficientnet", "random")
    """Whose KID; random needs no weights from the network."""
    device: str = "cpu"
    """auto, cpu, cuda, cuda:1."""
    json: bool = False
    """Print the scores as JSON."""

    @property
    def names(self) -> tuple[More, ...]:
        """The further scores that are asked for."""
        asked = {*self.scores, *(("memorisation",) if self.pairs else ())}
        return tuple(name for name in MORE if self.all or name in asked)


def main(argv: list[str]) -> None:
    """`zerosum evaluate RUN|SNAPSHOT|DIR --against DATA`."""
    options = parse(Options, argv, "evaluate", __doc__ or "")
    scores = evaluate(options)
    show(scores, options.json, table(scores))


def evaluate(options: Options) -> dict:
    """The scores, as `metrics.panel.Panel.score` gives them, and a key more for each further one, "versus" too.

    Raises Refusal for what cannot be judged; for all that can be told before a picture is read or made, before that.
    """
    from zerosum.core.machine import device_of
    from zerosum.core.run import folder
    from zerosum.metrics.further import Further
    from zerosum.metrics.gallery import unwatched
    from zerosum.metrics.kid import enough
    from zerosum.metrics.panel import Panel
    from zerosum.metrics.versus import versus

    check_seed(options.seed)
    options = replace(options, device=str(device_of(options.device)), what=str(folder(options.what)))
    if options.n is not None:
        enough(options.n, "--n")
    if not options.judges:
        raise Refusal("--judges: no judge is named. Wanted efficientnet, random or both.")
    if options.pairs is not None and options.pairs.suffix.lower() != ".png":
        raise Refusal(f"--pairs {options.pairs}: the drawing is saved as .png. Name it {options.pairs.stem}.png.")
    if options.pairs is not None and not options.pairs.parent.is_dir():
        raise Refusal(f"{options.pairs.parent}: no such folder to write {options.pairs.name} into. Make it first.")
    maker = _maker(options.what, options.device)
    other = _maker(options.versus, options.device) if options.versus is not None else None
    source = _data(options, maker)
    n = _num(options, source)
    pixels = _pictures(maker, source, n, options)
    theirs = _pictures(other, source, n, options) if other is not None else None
    if theirs is not None and len(theirs) != len(pixels):
        fewer = min(len(theirs), len(pixels))
        raise Refusal(f"{len(pixels)} pictures versus {len(theirs)}: wanted equally many. Add --n {fewer}.")
    watch = unwatched if options.json else _barred
    panel = Panel(source, n, options.seed, options.device, options.judges, watch)
    made = panel.gallery(pixels)
    scores = panel.judge(made)
    further = Further(panel, pixels, made)
    scores |= further.score(options.names)
    if theirs is not None:
        rival = panel.gallery(theirs)
        names = (options.what, str(options.versus))
        scores["versus"] = versus(panel, made, rival, names) | {
            "what": options.versus,
            "less": f"{names[0]} less {names[1]}",
            "scores": panel.judge(rival),
        }
    if options.pairs is not None:
        _draw_pairs(options.pairs, further, scores["memorisation"])
    return scores


def table(scores: dict) -> str:
    """The scores as lines of text, and the verdict."""
    reference = scores["reference"]
    row = "{:<25}{:>10}  {:<26}{:>12}{:>14}".format
    lines = [
        f"{scores['n']} pictures against {reference['n']} real ones; floor: {reference['floor']}",
        "",
        row("", "value", "95 % interval", "real", "PCA-Gaussian"),
    ]
    for key in ("kid", "kid_random"):
        if key in scores:
            s = scores[key]
            value, low, high, floor, baseline = (
                f"{s[k]:.4g}" for k in ("value", "low", "high", "floor", "pca_gaussian")
            )
            lines.append(row(SCORES[key], value, f"[{low}, {high}]", floor, baseline))
    value, top, baseline = (f"{scores['coverage'][k]:.3f}" for k in ("value", "ceiling", "pca_gaussian"))
    lines.append(row(SCORES["coverage"], value, "", top, baseline))
    lines += ["", "KID: lower is better. Coverage: higher is better.", scores["verdict"]["text"]]
    for name, say in _SAY.items():
        if name in scores:
            refused = scores[name].get("refused")
            lines += ["", *([f"{name}: not told: {refused}"] if refused else say(scores[name]))]
    return "\n".join(lines)


def _say_fid(s: dict) -> list[str]:
    floor = "none" if s["floor"] is None else f"{s['floor']:.1f}"
    return [
        f"FID {s['value']:.1f} ({s['n']:,} pictures against {s['n_real']:,}; real: {floor}; PCA-Gaussian: "
        f"{s['pca_gaussian']:.1f}). Lower is better; compare with equal numbers and the same resize only.",
        f"  {s['features']}",
    ]


def _say_prdc(s: dict) -> list[str]:
    names = ("precision", "recall", "density", "coverage")
    told = (f"{name} {s[name]['value']:.3f} (real {s[name]['ceiling']:.3f})" for name in names)
    return [f"Of {s['n']} on each side, by EfficientNet: {', '.join(told)}. Higher is better."]


def _say_memorisation(s: dict) -> list[str]:
    lines = [f"Copies? {s['text']}"]
    for name in ("thumbnails", "efficientnet"):
        nearer = f"{s[name]['effect']:.0%} of the time (50 % by chance, p = {s[name]['p']:.2g})"
        lines.append(f"  {name}: nearer to the training pictures than held-out ones are {nearer}")
    double = s["duplicates"]
    few = f": as if it made only about {double['support']:,} different ones" if double["support"] else ""
    lines.append(f"  duplicates: {double['pairs']:,} pairs, {double['expected']:.3g} among as many real pictures{few}")
    return lines


def _say_classes(s: dict) -> list[str]:
    lines = []
    for name, found in s.items():
        if "refused" in found:
            lines.append(f"Classes of '{name}': not told: {found['refused']}")
            continue
        missing = f"missing: {', '.join(found['missing'])}" if found["missing"] else "none is missing"
        lines.append(
            f"Classes of '{name}': {missing}; {found['distance']:.0%} of the pictures would have to change class "
            f"(classifier right on {found['accuracy']:.0%} of unseen real ones, guessing on {found['chance']:.0%})"
        )
    return lines


def _say_diversity(s: dict) -> list[str]:
    interval, real = f"[{s['low']:.3f}, {s['high']:.3f}]", s["real"]
    return [f"Diversity (LPIPS of {s['pairs']} pairs) {s['value']:.3f} {interval}, real {real['value']:.3f}."]


def _say_versus(s: dict) -> list[str]:
    lines = [
        f"Versus {s['what']}: {s['text']}",
        f"  {s['less']}: below 0 the first has the better KID, above 0 the better coverage",
    ]
    for name in SCORES:
        if name in s:
            d = s[name]
            lines.append(f"  {SCORES[name]}: difference {d['value']:.4g} [{d['low']:.4g}, {d['high']:.4g}]")
    return lines


_SAY = {
    "fid": _say_fid,
    "prdc": _say_prdc,
    "memorisation": _say_memorisation,
    "classes": _say_classes,
    "diversity": _say_diversity,
    "versus": _say_versus,
}


def _maker(what: str, device: str) -> Generator | Path:
    """The generator of a run or snapshot, or a folder of pictures that are made already."""
    path = place(what)
    if not path.exists():
        raise Refusal(f"{path}: no such file or folder. Wanted a run, a snapshot or a folder of pictures.")
    if (path / "run.json").is_file() or path.suffix == ".safetensors":
        from zerosum.core.generator import load

        return load(path, device)
    return path


def _num(options: Options, source: Source) -> int:
    """Pictures on each side: more for FID, where the data allow it."""
    from zerosum.metrics.frechet import FEWEST

    if options.n is not None:
        return options.n
    return FID_PICTURES if "fid" in options.names and len(source) > FEWEST else PICTURES


def _data(options: Options, maker: Generator | Path) -> Source:
    """What --against names, or what the run was trained on; at the generator's size where there is one.

    Two sets are judged by together.
    """
    from zerosum.core.batch import Images
    from zerosum.data.catalog import open_data, place_of, refuse_other, refuse_unknown
    from zerosum.data.unpaired import unpaired

    shape = None if isinstance(maker, Path) else maker.header.shape
    opened = _opened(options, maker)
    names = [opened[key] for key in ("data", "second") if key in opened]
    for name in names:
        refuse_unknown(name)
        refuse_other(name, Images, "the judges look at")
        _refuse_the_same(name, _folders(options))
    if options.pairs is not None:
        for folder in (*names, *_folders(options)):
            refuse_within(folder, "--pairs", options.pairs)
    own = (shape.height, shape.width) if shape is not None else (64,)
    look = {key: opened[key] for key in ("channels", "ground", "frames") if key in opened}
    if shape is not None and any(place_of(name).exists() for name in names):
        look["channels"] = shape.channels
    size, shown = resolution(options.resolution or own), not options.json
    sets = [open_data(name, size, progress=shown, **look) for name in names]
    return unpaired(*sets).pictures() if len(sets) == 2 else sets[0]


def _opened(options: Options, maker: Generator | Path) -> dict[str, Any]:
    """{"data"} as --against names it, or what run.json says of how the run's data was opened, a "second" set too."""
    from zerosum.core.run import Run

    if options.against is not None:
        return {"data": options.against}
    what = Path(options.what)
    folder = what.parent if what.is_file() else what
    if is_of_the_zoo(what):
        return {"data": maker.header.data}  # type: ignore[union-attr]  # the zoo holds no folders
    if isinstance(maker, Path) or not (folder / "run.json").is_file():
        raise Refusal(f"{what} does not say what it was made from. Add --against DATA, the real pictures.")
    opened = Run.open(folder).info.get("opened") or {}
    if opened.get("data") is None:
        raise Refusal(f"{what} was trained from Python, on data it cannot open. Add --against DATA.")
    return opened


def _folders(options: Options) -> list[Path]:
    """What is judged, as far as it is folders of pictures and no runs."""
    named = [Path(what) for what in (options.what, options.versus) if what is not None]
    return [path for path in named if not (is_of_the_zoo(path) or (path / "run.json").is_file())]


def _refuse_the_same(real: str, made: list[Path]) -> None:
    """Raises Refusal where the real pictures themselves, or some of them, would be judged: they always look perfect."""
    from zerosum.data.catalog import lies_in, place_of

    for path in made:
        if path.suffix != ".safetensors" and (lies_in(path, real) or path.resolve() == place_of(real).resolve()):
            raise Refusal(
                f"{path} against {real}: the same pictures on both sides, which says nothing. Name a folder of made "
                "ones, or other real pictures after --against."
            )


def _barred(batches: Iterable[Tensor], what: str, num: int) -> Iterator[Tensor]:
    """The batches, with a bar on the screen."""
    from zerosum.data.pictures import progress_bar

    with progress_bar(f"looking at {what}", num) as advance:
        for x in batches:
            yield x
            advance(len(x))


def _pictures(maker: Generator | Path, source: Source, n: int, options: Options) -> np.ndarray:
    """n made pictures (all of a folder that has fewer), uint8 [n, H, W, C], of the source's size."""
    import numpy as np

    if isinstance(maker, Path):
        return _read(maker, source, n, options)
    _same_shape(maker.header.shape, source)
    return np.concatenate(list(_sampled(maker, n, options)))


def _same_shape(shape: DataShape, source: Source) -> None:
    ours, theirs = ((s.height, s.width, s.channels) for s in (shape, source.shape))
    if ours != theirs:
        raise Refusal(f"the generator makes {shape}, {source.name} holds {source.shape}: these cannot be compared.")


def _sampled(generator: Generator, n: int, options: Options) -> Iterator[np.ndarray]:
    """n made pictures in batches. Raises Refusal if it does not sample."""
    import torch

    from zerosum.core.generator import Samples
    from zerosum.core.pictures import to_uint8
    from zerosum.data.pictures import progress_bar

    made: Any = generator
    if not isinstance(made, Samples):
        raise Refusal(f"{generator.header.game} makes nothing from noise alone. Evaluate a folder of what it made.")
    with progress_bar("making pictures", n, shown=not options.json) as advance, torch.inference_mode():
        for z in made.latents(n, options.seed).split(BATCH):
            yield to_uint8(made(z.to(generator.device)))
            advance(len(z))


def _read(path: Path, source: Source, n: int, options: Options) -> np.ndarray:
    """n pictures of a folder in random order (all, if it has fewer), uint8 [n, H, W, C], at the source's size."""
    import numpy as np

    from zerosum.data.folder import folder

    shape = source.shape
    pictures = folder(path, (shape.height, shape.width), channels=shape.channels, progress=not options.json)
    heldout = pictures.heldout()  # a made set has no use for held-out pictures: all are judged
    total = len(pictures) + (len(heldout) if heldout is not None else 0)
    chosen = np.random.default_rng(options.seed).choice(total, min(n, total), replace=False)
    pixels = np.empty((len(chosen), shape.height, shape.width, shape.channels), np.uint8)
    first = chosen < len(pictures)
    pixels[first] = pictures.pixels(chosen[first])
    if heldout is not None:
        pixels[~first] = heldout.pixels(chosen[~first] - len(pictures))
    return pixels


def _draw_pairs(path: Path, further: Further, found: dict) -> None:
    """Made pictures in the left column, and the nearest training picture of each on its right, mirrored if need be.

    Says on stderr that it was drawn, or why not.
    """
    import numpy as np

    from zerosum.core.pictures import labelled_columns, save_png, to_uint8

    if "refused" in found:
        print(f"Not drawn: {path}: {found['refused']}", file=sys.stderr)
        return
    pairs = found["pairs"]
    numbers = np.array([pair["train"] for pair in pairs])
    train = to_uint8(further.panel.source.batch(numbers).x)  # type: ignore[attr-defined]
    train = np.stack([x[:, ::-1] if pair["mirrored"] else x for x, pair in zip(train, pairs, strict=True)])
    made = further.pixels[[pair["made"] for pair in pairs]]
    save_png(labelled_columns([made, train], ["made", "nearest"]), path)
    print(f"Drawn: {path}", file=sys.stderr)
