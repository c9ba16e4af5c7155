"""What invert, directions and edit share: the generator, pictures as it has learnt to see them, others beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from zerosum.latent.invert import Inversion
    from zerosum.latent.way import Way


@dataclass(frozen=True)
class Model:
    """A generator, its file's hash, and the folder in which what belongs to it is kept."""

    generator: Any
    sha256: str
    folder: Path
    data: dict[str, Any]  # how the run's data was opened, as run.json notes it; empty where unknown


def opened(run: Path) -> Model:
    """The generator of a run's folder, a snapshot or the zoo. Raises Refusal for what is none, or makes no pictures."""
    from zerosum.core import generator, zoo
    from zerosum.core.batch import TableShape
    from zerosum.core.errors import Refusal
    from zerosum.core.files import sha256
    from zerosum.core.run import Run, folder

    run = folder(run)
    if run.is_file() and run.suffix != ".safetensors":
        raise Refusal(f"{run}: not a snapshot. Wanted a run's folder, or a .safetensors file in one.")
    snapshot = Run.open(run).best if run.is_dir() else zoo.place(run)
    player = generator.load(snapshot)
    if isinstance(player.header.shape, TableShape):
        raise Refusal(f"{run}: {player.header.game} has learnt a table here; there are no pictures to look for.")
    place = Path() if zoo.is_of_the_zoo(run) else snapshot.parent
    data: dict[str, Any] = {}
    if zoo.is_of_the_zoo(run):
        data = {"data": player.header.data}
    elif (place / "run.json").is_file():
        data = Run.open(place).info.get("opened") or {}
    return Model(player, sha256(snapshot), place, data)


def photo(model: Model, path: Path, channels: int | None = None) -> Tensor:
    """A picture file as the run's data was taken in, float [1, C, H, W] in [-1, 1]: upright, cut about its middle,
    reduced; with the generator's own channels, or as many. Raises Refusal for what is missing or no picture."""
    import numpy as np
    from PIL import ImageColor

    from zerosum.core.errors import Refusal
    from zerosum.core.pictures import from_uint8
    from zerosum.data.decode import WHITE, Unreadable, decode, foreign

    if not path.is_file():
        raise Refusal(f"{path}: no such picture.")
    shape, ground = model.generator.header.shape, model.data.get("ground")
    try:
        if reason := foreign(path.name):
            raise Unreadable(reason)
        colour = ImageColor.getrgb(ground)[:3] if ground else WHITE
        wanted = (shape.height, shape.width, channels or shape.channels)
        pixels = decode(path.read_bytes(), *wanted, colour)  # type: ignore[arg-type]
    except Unreadable as error:
        raise Refusal(f"{path}: {error}.") from error
    return from_uint8(np.array(pixels[None]))  # Pillow's own may not be written


def source_of(model: Model, data: str, progress: bool) -> Any:
    """The data at the generator's size, as the run's was opened. Raises Refusal for what is no data of its kind."""
    from zerosum.data.whole import opened_as

    return opened_as(model.generator.header.shape, data, progress)


def others(model: Model, number: int, progress: bool) -> tuple[Tensor, str]:
    """So many pictures to redraw beside one, and what they are called: held out of the run's data where these are at
    hand, else the generator's own. Raises Refusal where there are neither."""
    import numpy as np

    from zerosum.core.errors import Refusal
    from zerosum.core.generator import Samples

    name = model.data.get("data")
    if name and not model.data.get("second"):
        try:
            source = source_of(model, name, progress)
            heldout = source.heldout()
            if heldout is not None and len(heldout) >= number:
                return heldout.batch(np.arange(number)).x, f"{number} pictures held out of its data"
        except Refusal:  # the data has moved, or changed; its own pictures do
            pass
    generator: Any = model.generator
    if not isinstance(generator, Samples):
        raise Refusal("there are no pictures to compare with: its data is not at hand. --others 0 leaves them out.")
    return model.generator.images(number, seed=1), f"{number} pictures that it made itself"


def sought(generator: Any, x: Tensor, way: Way, title: str, progress: bool) -> Inversion:
    """`invert`, with a bar."""
    from zerosum.data.pictures import progress_bar
    from zerosum.latent.invert import descent_of, how_of, invert

    steps = descent_of(way, how_of(generator, way)).steps
    with progress_bar(title, max(1, steps), progress) as advance:
        return invert(generator, x, way, lambda step: advance(1))
