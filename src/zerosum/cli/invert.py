"""Find the latents of given pictures, redraw them, and say how well this model can represent them."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from zerosum.cli._common import parse, say_what_is_replaced, show
from zerosum.cli._latent import Model, opened, others, photo, sought
from zerosum.core.errors import Refusal
from zerosum.latent.way import Way

if TYPE_CHECKING:
    from torch import Tensor

    from zerosum.features.lpips import Lpips
    from zerosum.latent.fidelity import Fidelity, Verdict
    from zerosum.latent.invert import Inversion

OTHERS = {"hybrid": 16, "encoder": 64, "optimise": 6}  # redrawn to compare with: of what takes longer, fewer


@dataclass(frozen=True)
class Options:
    """What `zerosum invert` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's folder (its best snapshot), or a snapshot, a .safetensors file."""
    pictures: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PICTURE [PICTURE ...]")]
    """Picture files, one or several; cut about their middle and reduced, as the run's own were."""
    way: Way = field(default_factory=Way)
    """How they are sought."""
    out: Annotated[
        Path | None, tyro.conf.arg(aliases=["-o"], metavar="PATH", help_behavior_hint="(default: RUN/inverted)")
    ] = None
    """A folder for the drawings and the latents; for a single picture also the drawing's own name, a .png."""
    others: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="(default: 16; see docs)")] = None
    """How many other pictures to redraw in the same way, once, for the verdict; 0 for none."""
    json: bool = False
    """Print JSON: {"how", "space", "others", "pictures": [{"picture", "redrawn", "latent", "psnr", "lpips", "seconds",
    "imagined", "says"}]}."""


def main(argv: list[str]) -> None:
    """Writes for each picture a drawing (photo, redrawn) and its latents; prints PSNR, LPIPS, seconds, the verdict.

    Raises Refusal for what is no run, no picture, or a way that this generator cannot go.
    """
    options = parse(Options, argv, "invert", __doc__)
    places = _places(options)
    from zerosum.core.plan import check_seed
    from zerosum.features import lpips
    from zerosum.latent.invert import how_of

    check_seed(options.way.seed)
    model = opened(options.run)
    how = how_of(model.generator, options.way)
    photos = [photo(model, path) for path in options.pictures]
    for folder in {place.parent for place in places}:
        folder.mkdir(parents=True, exist_ok=True)
    judge = lpips.load("alex")
    usual, called = _usual(model, options, how, judge)
    found = []
    for path, x, place in zip(options.pictures, photos, places, strict=True):
        begin = time.monotonic()
        one = sought(model.generator, x, options.way, path.name, not options.json)
        seconds = time.monotonic() - begin
        found.append(_kept(model, path, x, one, place) | _judged(x, one, judge, usual, called) | {"seconds": seconds})
    record = {"how": how, "space": one.space, "others": len(usual), "pictures": found}
    show(record, options.json, "\n".join(_line(each) for each in found))


def _places(options: Options) -> list[Path]:
    """Where each drawing goes. Raises Refusal where that makes no sense."""
    if not options.pictures:
        raise Refusal("no picture is named. zerosum invert RUN photo.png")
    if options.others is not None and options.others < 0:
        raise Refusal(f"--others {options.others}: wanted 0 or more.")
    from zerosum.core.run import folder as run_folder

    named = run_folder(options.run)
    run = named if named.is_dir() else named.parent
    out = options.out or run / "inverted"
    if out.suffix.lower() == ".png":
        if len(options.pictures) > 1:
            raise Refusal(f"-o {out}: {len(options.pictures)} pictures came. Name a folder.")
        places = [out]
    else:
        stems = [path.stem for path in options.pictures]
        names = [f"{stem}-{i}" if stems.count(stem) > 1 else stem for i, stem in enumerate(stems, 1)]
        places = [out / f"{name}.png" for name in names]
    for path, place in zip(options.pictures, places, strict=True):
        if path.resolve() == place.resolve():
            raise Refusal(f"-o {place} is the picture itself. Name another place.")
    return places


def _usual(model: Model, options: Options, how: str, judge: Lpips) -> tuple[list[Fidelity], str]:
    """What other pictures get, redrawn in the same way, and what they are called; kept beside the model."""
    from zerosum.core.files import digest, save_json
    from zerosum.latent.fidelity import Fidelity, fidelities
    from zerosum.latent.invert import descent_of

    number = OTHERS[how] if options.others is None else options.others
    if not number:
        return [], ""
    folder = model.folder / "inverted"
    way = [asdict(options.way), asdict(descent_of(options.way, how)), how]
    kept = folder / f"usual-{digest([model.sha256, model.data, way, number])}.json"
    with suppress(OSError, ValueError, TypeError, LookupError):
        record = json.loads(kept.read_text(encoding="utf-8"))
        return [Fidelity(**one) for one in record["fidelities"]], record["called"]
    x, called = others(model, number, not options.json)
    found = fidelities(x, sought(model.generator, x, options.way, called, not options.json).picture, judge)
    folder.mkdir(exist_ok=True)
    save_json(kept, {"called": called, "fidelities": [asdict(one) for one in found]})
    return found, called


def _kept(model: Model, path: Path, x: Tensor, one: Inversion, place: Path) -> dict[str, Any]:
    """Writes the drawing and the latents; their paths."""
    from zerosum.core.files import save_tensors
    from zerosum.core.pictures import labelled_columns, save_png, to_uint8

    latent = place.with_suffix(".safetensors")
    say_what_is_replaced(place, latent)
    about = {"picture": path.name, "model": model.sha256, "space": one.space, "how": one.how}
    scale = max(1, 192 // max(x.shape[2:]))
    drawing = labelled_columns([to_uint8(x), to_uint8(one.picture)], ["photo", "redrawn"], scale)
    save_png(drawing, place, {"Software": "zerosum invert", **about})
    save_tensors(latent, {"code": one.code[0]}, {"zerosum-latent": json.dumps(about)})
    return {"picture": str(path), "redrawn": str(place), "latent": str(latent)}


def _judged(x: Tensor, one: Inversion, judge: Lpips, usual: list[Fidelity], called: str) -> dict[str, Any]:
    """Its scores, and where there are others to compare with, the verdict."""
    from zerosum.latent.fidelity import fidelities, verdict

    (own,) = fidelities(x, one.picture, judge)
    word: Verdict | None = verdict(own, usual, called) if usual else None
    told = {"imagined": word.imagined, "says": word.says} if word else {"imagined": None, "says": "not compared"}
    return {"psnr": own.psnr, "lpips": own.lpips, **told}


def _line(found: dict[str, Any]) -> str:
    scores = f"{found['psnr']:.1f} dB, LPIPS {found['lpips']:.3f}, {found['seconds']:.1f} s"
    return f"{found['redrawn']}: {scores}\n  {found['says']}\n  its latents: {found['latent']}"
