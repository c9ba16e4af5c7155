"""Find named directions among latents, for `zerosum edit`: from labels, from two folders, or without either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from zerosum.cli._common import parse, refuse_within, say_what_is_replaced, show
from zerosum.cli._latent import Model, opened, source_of
from zerosum.core.errors import Refusal
from zerosum.latent.way import Space

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from zerosum.core.batch import Attribute
    from zerosum.latent.sliders import Slider, Sliders
    from zerosum.latent.spaces import Latents
    from zerosum.latent.teller import Teller

MADE = 2000  # pictures that are made and labelled, where there is no encoder
SHOWN = 3  # pictures of the drawing
AMOUNTS, UNNAMED = (-1.0, 0.0, 1.0), (-3.0, 0.0, 3.0)  # of which each is shown; an unnamed step is a standard deviation


@dataclass(frozen=True)
class Options:
    """What `zerosum directions` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's folder (its best snapshot), or a snapshot, a .safetensors file."""
    data: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[DATA]", help_behavior_hint="")] = None
    """Labelled pictures: a folder, a zip, or the name of a set. A direction for each class of each label."""
    name: Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")] = None
    """What a direction from two folders is called."""
    with_: Annotated[
        Path | None, tyro.conf.arg(name="with", metavar="DIR", help_behavior_hint="(with --without and --name)")
    ] = None
    """A folder of pictures that have it; ten or more."""
    without: Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """A folder of pictures that lack it, and are else like the others."""
    unnamed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Without labels: so many principal directions and as many in closed form, called "pca 1", "sefa 1" and so on."""
    labels: Literal["auto", "encoder", "classifier"] = "auto"
    """How labels come to latents: encoder encodes labelled pictures; classifier learns from these and labels 2,000 made
    ones; auto is encoder where there is one."""
    pictures: Annotated[int, tyro.conf.arg(metavar="N")] = 4000
    """How many labelled pictures are looked at, at the most."""
    space: Space = "auto"
    """Of which latents: z, or for games with styles w."""
    out: Annotated[
        Path | None,
        tyro.conf.arg(aliases=["-o"], metavar="FILE", help_behavior_hint="(default: RUN/directions.safetensors)"),
    ] = None
    """The file they are kept in; those of other names in it stay. A drawing goes beside it, FILE.png."""
    json: bool = False
    """Print JSON: {"file", "drawing", "space", "directions": [{"name", "count", "told", ...}], "left_out"}."""


def main(argv: list[str]) -> None:
    """Finds them, keeps them beside the run, draws each, and prints how far each can be trusted.

    Raises Refusal for data without labels, and where labels cannot come to this generator's latents.
    """
    options = parse(Options, argv, "directions", __doc__)
    _check(options)
    from zerosum.latent.sliders import FILE
    from zerosum.latent.spaces import space_of

    model = opened(options.run)
    space = space_of(model.generator, options.space)
    path = options.out or model.folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = _kept_before(path, model, space)
    each = list(_found(model, space, options))
    found = [one for one in each if not isinstance(one, str)]
    left_out = [one for one in each if isinstance(one, str)]
    if not found:
        raise Refusal(f"no direction was found. {' '.join(left_out[:3])}".strip())
    for slider in found:
        kept.add(slider)
    drawing = path.with_suffix(".png")
    say_what_is_replaced(*([path] if not kept.by_name.keys() - {s.name for s in found} else []), drawing)
    kept.save(path)
    drawn = _draw(space, found, drawing, UNNAMED if options.unnamed else AMOUNTS)
    record = {
        "file": str(path),
        "drawing": str(drawing) if drawn else None,
        "space": space.name,
        "directions": [{key: value for key, value in vars(slider).items() if key != "step"} for slider in found],
        "left_out": left_out,
    }
    show(record, options.json, _text(record, found, left_out))


def _check(options: Options) -> None:
    """Raises Refusal for what makes no sense together, before anything is opened."""
    two = (options.with_, options.without, options.name)
    if any(part is not None for part in two) and None in two:
        raise Refusal("a direction from two folders needs --with DIR, --without DIR and --name NAME.")
    if sum((options.data is not None, options.with_ is not None, options.unnamed > 0)) != 1:
        raise Refusal("wanted one of: DATA with labels; --with, --without and --name; or --unnamed N.")
    if options.name is not None and any(sign in options.name for sign in "=,"):
        raise Refusal(f"--name {options.name}: a name without = and commas, so that --set can tell it.")
    if options.unnamed < 0 or options.pictures < 20:
        raise Refusal("--unnamed wants 1 or more, --pictures 20 or more.")
    for data in (options.data, options.with_, options.without):
        if data is not None and options.out is not None:
            refuse_within(data, "-o", options.out)


def _kept_before(path: Path, model: Model, space: Latents) -> Sliders:
    """What the file holds already, if it is of this model and space; else none."""
    from zerosum.latent.sliders import Sliders

    if path.is_file():
        before = Sliders.load(path)
        if (before.model, before.space) == (model.sha256, space.name):
            return before
    return Sliders(space.name, model.sha256)


def _found(model: Model, space: Latents, options: Options) -> Iterator[Slider | str]:
    """The directions, or why there is none."""
    from zerosum.data.pictures import progress_bar
    from zerosum.latent import unnamed
    from zerosum.latent.normals import contrasts, sliders_from_labels

    if options.unnamed:
        yield from unnamed.principal(space, options.unnamed)
        try:
            yield from unnamed.closed_form(space, options.unnamed)
        except Refusal as refusal:
            yield str(refusal)
        return
    x, y, attributes = _labelled(model, options)
    codes, y, stretch = _with_codes(model, space, options, x, y, attributes)
    with progress_bar("finding directions", len(contrasts(attributes)), not options.json) as advance:
        for one in sliders_from_labels(codes, y, attributes):
            yield one if isinstance(one, str) else stretch(one)
            advance(1)


def _labelled(model: Model, options: Options) -> tuple[Tensor, np.ndarray, tuple[Attribute, ...]]:
    """Pictures, float [n, C, H, W], their codes, int64 [n, A], and the labels' names."""
    import numpy as np
    import torch

    from zerosum.core.batch import Attribute

    if options.data is not None:
        source = source_of(model, options.data, not options.json)
        if not source.shape.attributes:
            raise Refusal(
                f"{options.data}: its pictures have no labels. Sort them into subfolders, add labels.csv, or take "
                "--with DIR --without DIR --name NAME."
            )
        chosen = np.unique(np.linspace(0, len(source) - 1, options.pictures).astype(int))
        batch = source.batch(chosen)
        return batch.x, batch.y.numpy(), source.shape.attributes
    sides = [source_of(model, str(folder), not options.json) for folder in (options.without, options.with_)]
    parts = [_all_of(source)[: options.pictures] for source in sides]
    y = np.concatenate([np.full((len(part), 1), side) for side, part in enumerate(parts)])
    return torch.cat(parts), y, (Attribute(str(options.name), ("without", "with")),)


def _all_of(source: Any) -> Tensor:
    """All pictures of a folder, those that would be held out for judging too."""
    import numpy as np
    import torch

    parts = [part for part in (source, source.heldout()) if part is not None]
    return torch.cat([part.batch(np.arange(len(part))).x for part in parts])


def _with_codes(
    model: Model, space: Latents, options: Options, x: Tensor, y: np.ndarray, attributes: tuple[Attribute, ...]
) -> tuple[Tensor, np.ndarray, Callable[[Slider], Slider]]:
    """Codes [n, d] and their labels; and what finds out how far a step must go. (In w nothing does yet.)"""
    from zerosum.core.generator import Encodes
    from zerosum.latent.directions import calibrated, in_batches
    from zerosum.latent.invert import encoded_start
    from zerosum.latent.unnamed import one_layer

    encodes, is_plain = isinstance(model.generator, Encodes), space.name in ("z", "code")
    if options.labels == "encoder" and not encodes:
        raise Refusal(f"--labels encoder: {model.generator.header.game} has no encoder here. Take --labels classifier.")
    if options.labels == "classifier" or not encodes:
        return _told_of_made(model, space, _teller(x, y, attributes), attributes)

    def codes_of(pictures: Tensor) -> Tensor:
        return one_layer(space.code(encoded_start(space, pictures)))

    codes = in_batches(codes_of, x, model.generator.device)
    return codes, y, lambda slider: calibrated(model.generator, slider, codes) if is_plain else slider


def _told_of_made(
    model: Model, space: Latents, teller: Teller, attributes: tuple[Attribute, ...]
) -> tuple[Tensor, np.ndarray, Callable[[Slider], Slider]]:
    """As `_with_codes`, of codes drawn by chance, whose pictures the classifier labels."""
    import numpy as np
    import torch

    from zerosum.latent.directions import MIDDLE, TRIED, in_batches
    from zerosum.latent.normals import contrasts
    from zerosum.latent.sliders import stretched
    from zerosum.latent.unnamed import one_layer

    with torch.no_grad():
        code = space.code(space.drawn(MADE, seed=0))
    codes, known = one_layer(code).cpu(), {each.name: each for each in contrasts(attributes)}

    def stretch(slider: Slider) -> Slider:
        def arrived(moved: Tensor) -> float:
            told = teller.told(in_batches(space.picture, moved, model.generator.device))
            return float(np.isin(told[:, known[slider.name].label], known[slider.name].having).mean())

        return stretched(slider, codes[slider.position(codes) < MIDDLE][:TRIED], arrived)

    y = teller.told(in_batches(space.picture, code, model.generator.device))
    return codes, y, stretch if space.name == "z" else lambda slider: slider


def _teller(x: Tensor, y: np.ndarray, attributes: tuple[Attribute, ...]) -> Teller:
    from zerosum.features import efficientnet
    from zerosum.latent.teller import Teller

    return Teller(efficientnet.load().features, x, y, attributes)


def _draw(space: Latents, found: list[Slider], path: Path, amounts: tuple[float, ...]) -> bool:
    """A row for each direction: the same pictures less, as they are, and more. Whether there are any to show: an
    autoencoder makes none of its own."""
    import torch

    from zerosum.core.generator import Samples
    from zerosum.core.pictures import save_png, to_uint8
    from zerosum.latent.directions import in_batches
    from zerosum.latent.sliders import Sliders, Wish
    from zerosum.report.slidersheet import sheet

    generator: Any = space.generator
    if not isinstance(generator, Samples):
        return False
    sliders = Sliders(space.name, by_name={slider.name: slider for slider in found})
    with torch.no_grad():
        code = space.code(space.drawn(SHOWN, seed=0)).cpu()
    rows = []
    for slider in found:
        moved = [code + sliders.change(code, {slider.name: Wish(amount)}) for amount in amounts]
        made = in_batches(space.picture, torch.stack(moved, 1).flatten(0, 1), space.generator.device)
        rows.append(to_uint8(made))
    titles = [f"{amount:+g}" if amount else "0" for amount in amounts] * SHOWN
    save_png(sheet(rows, [slider.name for slider in found], titles), path)
    return True


def _text(record: dict[str, Any], found: list[Slider], left_out: list[str]) -> str:
    drawn = f"; drawn in {record['drawing']}" if record["drawing"] else ""
    lines = [f"{record['file']}: {len(found)} direction{'s' * (len(found) > 1)}{drawn}"]
    if any(slider.count for slider in found):
        lines.append(f"{'name':<28}{'with it':>8}{'told':>7}{'+1 arrives':>12}")
    for slider in found:
        told = "" if slider.told is None else f"{slider.told:.0%}"
        arrives = "" if slider.arrives is None else f"{slider.arrives:.0%}"
        about = f"{slider.count or '':>8}{told:>7}{arrives:>12}" if slider.count else ""
        lines.append(f"{slider.name:<28}{about}{_warning(slider)}".rstrip())
    return "\n".join([*lines, *(f"left out: {why}" for why in left_out)])


def _warning(slider: Slider) -> str:
    """What to be wary of."""
    if slider.rare:
        return "  rare: learnt from few"
    if slider.told is not None and slider.told < 0.7:
        return "  hardly told: other things may come along"
    if slider.arrives is not None and slider.arrives < 0.5:
        return "  the model hardly draws it"
    return ""
