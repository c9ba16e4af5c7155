"""Edit a picture along named directions: --set glasses=+1 --lock smile; undo and redo with --history."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import tyro

from zerosum.cli._common import parse, say_what_is_replaced, show
from zerosum.cli._latent import Model, opened, photo, sought
from zerosum.core.errors import Refusal
from zerosum.latent.way import Space, Way

if TYPE_CHECKING:
    from torch import Tensor

    from zerosum.latent.history import History
    from zerosum.latent.sliders import Sliders, Wish
    from zerosum.latent.spaces import Latents

_WISH = re.compile(r"(?P<name>.+)=(?P<amount>[+-]?\d*\.?\d+)")


@dataclass(frozen=True)
class Options:
    """What `zerosum edit` takes."""

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """A run's folder (its best snapshot), or a snapshot, a .safetensors file."""
    picture: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PICTURE")]
    """A picture file; cut about its middle and reduced, as the run's own were."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path("edited.png")
    """The edited picture, a PNG of the model's size."""
    set: Annotated[
        tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME=AMOUNT", help_behavior_hint="")
    ] = ()
    """By how much to go along a direction, as glasses=+1 or "hair length:long=-0.5"; without a sign, where to: 0 as
    those without it, 1 as those with it. Once for each."""
    lock: Annotated[
        tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME", help_behavior_hint="")
    ] = ()
    """A direction along which nothing may move; once for each."""
    mask: Annotated[Path | None, tyro.conf.arg(metavar="PNG", help_behavior_hint="")] = None
    """Where the picture may change: white here, black elsewhere; of the same frame as the picture."""
    history: Annotated[Path | None, tyro.conf.arg(metavar="JSON", help_behavior_hint="")] = None
    """Keep the latents and the steps in this file, and go on from what it holds."""
    undo: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Take back so many edits first."""
    redo: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Do so many again that were taken back."""
    state: Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")] = None
    """Go to a state by its number first, also of another branch; 0 is the picture as it came."""
    directions: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: RUN/directions.safetensors)")
    ] = None
    """The file of `zerosum directions`."""
    way: Way = field(default_factory=Way)
    """How the picture's latents are sought, the first time."""
    json: bool = False
    """Print JSON: {"out", "state", "edits", "redrawn_psnr", "warnings"}."""


def main(argv: list[str]) -> None:
    """Writes the edited picture: what the model changes is laid on the photo, so that no edit is no change at all.

    Raises Refusal for unknown directions, and for a history of another picture or model.
    """
    options = parse(Options, argv, "edit", __doc__)
    wishes = _wishes(options)
    from zerosum.core.pictures import save_png, to_pil, to_uint8
    from zerosum.latent.fidelity import psnr
    from zerosum.latent.residual import composite
    from zerosum.latent.spaces import space_of

    model = opened(options.run)
    x = photo(model, options.picture)
    history = _history(model, x, options)
    space = space_of(model.generator, history.space if history.space in get_args(Space) else "auto")  # type: ignore[arg-type]
    sliders = _sliders(model, space, options) if wishes or options.lock else None
    _move(history, options)
    warnings: list[str] = []
    if sliders is not None and wishes:
        _edit(history, sliders, wishes, options)
        warnings = _warnings(sliders, wishes, options.lock)
    before, after = (_made(space, history.code(state)) for state in (0, history.at))
    edited = composite(x, before, after, _mask(model, options))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    say_what_is_replaced(options.out)
    save_png(to_pil(to_uint8(edited)[0]), options.out, {"Software": "zerosum edit", "model": model.sha256})
    if options.history is not None:
        history.save(options.history)
    record = {
        "out": str(options.out),
        "state": history.at,
        "edits": [history.edits[number - 1].asked for number in history.path(history.at)],
        "redrawn_psnr": psnr(x, before).item(),
        "warnings": warnings,
    }
    show(record, options.json, _text(record))


def _wishes(options: Options) -> dict[str, Wish]:
    """What --set asks for, by name. Raises Refusal for what cannot be read, and for what makes no sense together."""
    from zerosum.latent.sliders import Wish

    if options.out.suffix.lower() != ".png":
        raise Refusal(f"-o {options.out}: the picture is saved as .png, which changes no pixel.")
    if options.out.exists() and options.out.resolve() == options.picture.resolve():
        raise Refusal(f"-o {options.out} is the picture itself. Name another place.")
    if options.history is None and (options.undo or options.redo or options.state is not None):
        raise Refusal("--undo, --redo and --state need the file of --history.")
    if (
        min(options.undo, options.redo) < 0
        or sum(map(bool, (options.undo, options.redo, options.state is not None))) > 1
    ):
        raise Refusal("wanted one of --undo N, --redo N and --state N, with N from 0 on.")
    wishes: dict[str, Wish] = {}
    for words in options.set:
        found = _WISH.fullmatch(words)
        if found is None:
            raise Refusal(f"--set {words}: wanted NAME=AMOUNT, such as glasses=+1 or smile=-0.5.")
        name, amount = found["name"].strip(), found["amount"]
        if name in wishes:
            raise Refusal(f"--set {name} comes twice. Name it once.")
        wishes[name] = Wish(float(amount), absolute=amount[0] not in "+-")
    return wishes


def _sliders(model: Model, space: Latents, options: Options) -> Sliders:
    """The run's directions. Raises Refusal for those of another model."""
    from zerosum.latent.sliders import FILE, Sliders

    path = options.directions or model.folder / FILE
    if not path.is_file():
        raise Refusal(f"{path}: no directions yet. Make some: zerosum directions {options.run} DATA")
    sliders = Sliders.load(path)
    if sliders.model != model.sha256:
        raise Refusal(f"{path}: made with another snapshot. Make them anew: zerosum directions {options.run} DATA")
    if sliders.space.rstrip("+") != space.name.rstrip("+"):
        raise Refusal(f"{path}: directions of {sliders.space}, the picture is sought in {space.name}. Add --space.")
    return sliders


def _history(model: Model, x: Tensor, options: Options) -> History:
    """That of the file, if it is there, else a new one, for which the picture's latents are sought."""
    import hashlib

    from zerosum.core.pictures import to_uint8
    from zerosum.latent.history import History

    picture = hashlib.sha256(to_uint8(x).tobytes()).hexdigest()
    if options.history is not None and options.history.exists():
        known = History.load(options.history)
        for what, mine, theirs in (("model", model.sha256, known.model), ("picture", picture, known.picture)):
            if mine != theirs:
                raise Refusal(f"{options.history}: the history of another {what}. Name a new file.")
        if options.way.space not in ("auto", known.space):
            raise Refusal(
                f"{options.history}: its latents are of {known.space}. Leave --space out, or name a new file."
            )
        return known
    if options.undo or options.redo or options.state:
        raise Refusal(f"{options.history}: no such file; nothing was edited yet.")
    found = sought(model.generator, x, options.way, options.picture.name, not options.json)
    return History.of(found.code[0], model.sha256, found.space, picture)


def _move(history: History, options: Options) -> None:
    if options.state is not None:
        history.go(options.state)
    history.undo(options.undo)
    history.redo(options.redo)


def _edit(history: History, sliders: Sliders, wishes: dict[str, Wish], options: Options) -> None:
    code = history.code()[None]
    change = sliders.change(code, wishes, options.lock)
    history.edit(change[0], list(options.set), list(options.lock))


def _warnings(sliders: Sliders, wishes: dict[str, Wish], locked: tuple[str, ...]) -> list[str]:
    """What to be wary of: rare attributes, and locks that leave little of a step."""
    from zerosum.latent.sliders import LEFT

    found = [f"{name}: learnt from {sliders[name].count} pictures alone" for name in wishes if sliders[name].rare]
    for name in wishes if locked else ():
        left = sliders.left(name, locked)
        if left < LEFT:
            found.append(f"{name}: the locks leave {left:.0%} of its step; they mean nearly the same")
    return found


def _made(space: Latents, code: Tensor) -> Tensor:
    """The picture of one code, always alone in its batch, so that the same code makes the same bits."""
    import torch

    with torch.inference_mode():
        return space.picture(code[None].to(space.generator.device)).float().cpu()


def _mask(model: Model, options: Options) -> Tensor | None:
    """[1, 1, H, W] in [0, 1]."""
    if options.mask is None:
        return None
    return (photo(model, options.mask, channels=1) + 1) / 2


def _text(record: dict[str, Any]) -> str:
    way = " -> ".join(", ".join(asked) for asked in record["edits"]) or "the photo as it came"
    lines = [f"{record['out']}: {way} (state {record['state']})", *(f"  beware: {text}" for text in record["warnings"])]
    if record["redrawn_psnr"] < 15:
        lines.append(f"  the model redraws this photo poorly ({record['redrawn_psnr']:.1f} dB): see zerosum invert")
    return "\n".join(lines)
