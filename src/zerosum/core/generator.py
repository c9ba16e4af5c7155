"""What a run leaves behind: a generator with its judge, saved as one safetensors file that describes itself."""

from __future__ import annotations

import json
import math
import reprlib
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zerosum.core import catalog
from zerosum.core.batch import DataShape, TableShape
from zerosum.core.blank import without_memory
from zerosum.core.errors import Refusal
from zerosum.core.files import save_tensors
from zerosum.core.labels import Seen, blended, one_hot, sizes, wished
from zerosum.core.machine import device_of
from zerosum.core.pictures import grid, to_uint8
from zerosum.core.run import Run, folder
from zerosum.core.truncation import check_truncation, truncated_normal
from zerosum.core.zoo import place

FORMAT = 1


@dataclass(frozen=True)
class Header:
    """What a generator's file says of itself."""

    game: str
    config: dict
    shape: DataShape
    format: int = FORMAT
    recipe: str = ""  # hash of game, config, data and plan
    images: int = 0  # real pictures drawn before it was saved
    data: str = ""  # name of the data

    def to_json(self) -> str:
        """One line of JSON, the file's metadata."""
        return json.dumps(asdict(self))

    def stamp(self, by: str, model: str, seed: int, labels: Mapping[str, str], truncation: float) -> dict[str, str]:
        """What a picture's file says of its origin, the text of a PNG. `by`: what drew it; `model`: the SHA-256 of the
        snapshot. With these the same picture can be drawn again."""
        return {
            "Software": by,
            "game": self.game,
            "images": str(self.images),
            "model": model,
            "seed": str(seed),
            **({"labels": ", ".join(f"{name}={value}" for name, value in labels.items())} if labels else {}),
            **({"truncation": f"{truncation:g}"} if truncation != 1 else {}),
        }

    @classmethod
    def from_json(cls, text: str) -> Header:
        """The inverse of `to_json`. Raises Refusal for a format newer than this version knows, and for no header."""
        try:
            record: dict[str, Any] = json.loads(text)
            its = record["format"]
            if isinstance(its, int) and its > FORMAT:
                raise Refusal(f"the file has format {its}, this version reads up to {FORMAT}: update zerosum.")
            for name, kind in typing.get_type_hints(cls).items():
                _expect(record, name, dict if kind is DataShape else kind)
            for name in ("height", "width", "channels"):
                _expect(record["shape"], name, int, least=1)
            return cls(**{**record, "shape": DataShape.from_json(record["shape"])})
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            raise Refusal(f"its header cannot be read ({error!r:.200}). Load another snapshot.") from error


def _expect(record: dict, name: str, kind: type, least: int = 0) -> None:
    """Raises KeyError or TypeError unless the record has such a value, a number at least `least`."""
    value = record[name]
    if type(value) is not kind or (isinstance(value, int) and value < least):
        raise TypeError(f"{name} is {reprlib.repr(value)}")


@runtime_checkable
class Samples(Protocol):
    """Makes pictures from nothing but latents."""

    def latents(self, n: int, seed: int) -> Tensor:
        """float32 [n, ...]; row i depends on `seed` and i alone."""
        ...

    def __call__(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1] from latents [n, ...]."""
        ...


@runtime_checkable
class Conditions(Protocol):
    """Samples what it is told to: its latents carry labels."""

    def labelled(self, z: Tensor, labels: Mapping[str, str]) -> Tensor:
        """The latents z [n, ...] with these classes, by the attribute's name, and their other labels such as go with
        them. Raises Refusal for an attribute or a class that is not known."""
        ...


@runtime_checkable
class Truncates(Protocol):
    """Samples typical pictures too, at the price of variety (the truncation trick)."""

    def truncated(self, z: Tensor, psi: float) -> Tensor:
        """Pictures, float [n, C, H, W] in [-1, 1], of latents z as `latents` gives them, whose spread is psi times that
        of training: psi in (0, 1], 1 for pictures as they are. The same z gives related pictures at each psi. Which
        latents are drawn together, z or the styles made of it, is the generator's own affair."""
        ...


@runtime_checkable
class Styles(Protocol):
    """Has an intermediate latent space (StyleGAN's W)."""

    def map(self, z: Tensor) -> Tensor:
        """Styles w, float [n, ...], of latents [n, ...]."""
        ...

    def synthesize(self, w: Tensor) -> Tensor:
        """Pictures, float [n, C, H, W] in [-1, 1], from styles as `map` gives them."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Finds the latents of pictures."""

    def encode(self, x: Tensor) -> Tensor:
        """Latents [n, ...] that come near to making the pictures x, float [n, C, H, W] in [-1, 1]."""
        ...


@runtime_checkable
class Translates(Protocol):
    """Turns a picture into another."""

    def translate(self, x: Tensor) -> Tensor:
        """What the pictures become; float [n, C, H, W] in [-1, 1] both."""
        ...


@runtime_checkable
class Continues(Protocol):
    """Goes on with a sequence."""

    def proceed(self, x: Tensor, length: int) -> Tensor:
        """The sequences x, int64 [n, T], with `length` more symbols each: int64 [n, T + length]."""
        ...


@runtime_checkable
class Judges(Protocol):
    """Tells how real pictures look to it."""

    def score(self, x: Tensor) -> Tensor:
        """[n], the higher the more real, of pictures x, float [n, C, H, W] in [-1, 1]."""
        ...


class Generator(nn.Module):
    """Networks that make something, with their header. Subclasses add capabilities: the protocols above.

    abreast: how many pictures belong together, so that no row of a grid parts them.
    """

    abreast = 1

    def __init__(self, header: Header, judge: nn.Module | None = None):
        super().__init__()
        self.header = header
        self.judge = judge

    def __repr__(self) -> str:
        num = sum(parameter.numel() for parameter in self.parameters())
        return f"<{self.header.game}, {self.header.shape}, {self.header.images:,} images seen, {num:,} parameters>"

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def settled(self) -> Generator:
        """As it is to be used. A game whose networks training leaves in some disorder returns a copy that is in order:
        nothing random but what the weights decide, and the live networks stay as they are."""
        return self

    def as_saved(self, names: Collection[str]) -> Generator:
        """Itself as a file knows it that holds the tensors of these names: an older version's may lack some, and what
        they are for."""
        return self

    def images(
        self,
        n: int,
        seed: int = 0,
        batch: int = 64,
        labels: Mapping[str, str] | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        """n pictures, float32 [n, C, H, W] in [-1, 1] on the CPU. Picture i depends on `seed` and i alone.

        `labels`, such as {"glasses": "sunglasses"}: what all of them shall have; what is not named is drawn as it came
        in the data. `truncation`, in (0, 1]: the spread of the latents as a share of training's; below 1, pictures are
        more typical and less various. Raises Refusal if this generator does not sample, learnt a table (see `rows`),
        was not trained with such labels, or cannot be truncated so.
        """
        check_truncation(truncation)
        if not isinstance(self, Samples):
            raise Refusal(f"{self.header.game} makes nothing from noise alone: it does not sample.")
        if isinstance(self.header.shape, TableShape):
            raise Refusal(f"{self.header.game} has learnt a table here and draws rows, not pictures: rows({n}).")
        z = self.latents(n, seed)
        if labels:
            if not isinstance(self, Conditions):
                raise Refusal(
                    f"{self.header.game} was trained without labels and cannot be told any. "
                    "Leave them out, or train a game that learns them, such as cgan."
                )
            z = self.labelled(z, labels)
        draw = self if truncation == 1 else self._truncation(truncation)
        with torch.inference_mode():
            return torch.cat([draw(part.to(self.device)).float().cpu() for part in z.split(batch)])

    def _truncation(self, psi: float) -> Callable[[Tensor], Tensor]:
        """From latents to pictures at this psi. Raises Refusal if this generator does not truncate."""
        if not isinstance(self, Truncates):
            raise Refusal(f"{self.header.game} does not truncate its latents. Leave truncation={psi} out.")
        return partial(self.truncated, psi=psi)

    def rows(self, n: int, seed: int = 0) -> np.ndarray:
        """n rows of a table such as this generator has learnt, float64 [n, columns] in the columns' own units.

        Row i depends on `seed` and i alone. Raises Refusal if this generator does not sample, or learnt pictures.
        """
        shape = self.header.shape
        if not (isinstance(self, Samples) and isinstance(shape, TableShape)):
            raise Refusal(f"{self.header.game} here draws no rows: wanted one that samples, and has learnt a table.")
        with torch.inference_mode():
            return shape.in_units(self(self.latents(n, seed).to(self.device)).float().cpu().numpy())

    def sample(
        self,
        n: int,
        seed: int = 0,
        batch: int = 64,
        labels: Mapping[str, str] | None = None,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """n pictures, uint8 [n, H, W, C]; as `images`."""
        return to_uint8(self.images(n, seed, batch, labels, truncation))

    def grid(
        self, n: int = 16, seed: int = 0, labels: Mapping[str, str] | None = None, truncation: float = 1.0
    ) -> Image.Image:
        """n pictures side by side, as near to a square as n allows; as `images`."""
        return self.on_a_sheet(self.sample(n, seed, labels=labels, truncation=truncation))

    def on_a_sheet(self, pixels: np.ndarray) -> Image.Image:
        """Pictures that it has made, uint8 [n, H, W, C], in a grid as near to a square as they allow."""
        in_a_row = math.ceil(math.sqrt(len(pixels)) / self.abreast)
        return grid(pixels, columns=min(len(pixels), in_a_row * self.abreast))

    def save(self, path: str | Path, images: int | None = None) -> None:
        """Writes the file whole or not at all."""
        header = self.header if images is None else replace(self.header, images=images)
        save_tensors(Path(path), self.state_dict(), {"zerosum": header.to_json()})


class LatentGenerator(Generator):
    """Samples, Truncates and Judges: a network G from normal latents [n, z_dim] to pictures, and its discriminator."""

    def __init__(self, header: Header, G: nn.Module, z_dim: int, D: nn.Module | None = None):
        super().__init__(header, judge=D)
        self.G = G
        self.z_dim = z_dim

    def latents(self, n: int, seed: int) -> Tensor:
        """float32 [n, z_dim], standard normal; NumPy's stream, so that a longer draw begins with a shorter one."""
        return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, self.z_dim), dtype=np.float32))

    def forward(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1] from z [n, z_dim]."""
        return self.G(z)

    def truncated(self, z: Tensor, psi: float) -> Tensor:
        """See Truncates. The noise alone, the first z_dim numbers: labels, and whatever else follows it, stay."""
        return self(torch.cat([truncated_normal(z[:, : self.z_dim], psi), z[:, self.z_dim :]], 1))

    def score(self, x: Tensor) -> Tensor:
        """The discriminator's logits [n] for pictures x [n, C, H, W] in [-1, 1]."""
        if self.judge is None:
            raise Refusal("this file holds no judge: it was saved without its discriminator.")
        return self.judge(x).flatten()


class ConditionalGenerator(LatentGenerator):
    """Samples, Truncates, Conditions and Judges: G(z, c) makes pictures of latents z and label codes c, and D(x, c)
    judges them.

    A row of its latents, float32 [n, z_dim + all classes], is [z, the one-hot codes of each attribute]: so walks and
    averages blend classes as they blend noise.
    """

    def __init__(self, header: Header, G: nn.Module, z_dim: int, seen: Seen, D: nn.Module | None = None):
        super().__init__(header, G, z_dim, D)
        self.seen = seen

    def latents(self, n: int, seed: int) -> Tensor:
        """float32 [n, z_dim + all classes]; the labels are drawn as they came in the data."""
        return torch.cat([super().latents(n, seed), one_hot(self.seen.draw(n, seed), self.header.shape.attributes)], 1)

    def labelled(self, z: Tensor, labels: Mapping[str, str]) -> Tensor:
        """See Conditions. The others are drawn among what was seen with these, each row's by its own first number."""
        attributes = self.header.shape.attributes
        wish = wished(labels, attributes)
        noise, codes = z[:, : self.z_dim], z[:, self.z_dim :].split(sizes(attributes), 1)
        y = torch.stack([code.argmax(1) for code in codes], 1)
        chance = torch.special.ndtr(noise[:, 0]).cpu()
        changed = self.seen.agreeing(y.cpu(), wish, chance).to(z.device) if wish else y
        return torch.cat([noise, one_hot(changed, attributes)], 1)

    def forward(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1] from latents [n, z_dim + all classes]; between classes, a blend of them."""
        return self.G(z[:, : self.z_dim], blended(z[:, self.z_dim :], self.header.shape.attributes))

    def score(self, x: Tensor) -> Tensor:
        """The discriminator's logits [n] for pictures x [n, C, H, W] in [-1, 1], told the mean of the labels seen:
        whose pictures they are is not asked."""
        if self.judge is None:
            raise Refusal("this file holds no judge: it was saved without its discriminator.")
        return self.judge(x, self.seen.mean().expand(len(x), -1)).flatten()


def load(path: str | Path, device: str = "cpu") -> Any:
    """The generator in a file, of the zoo ("zoo:avatars-64"), or the best one of a run (its folder, or `runs/12`), in
    evaluation mode, with its judge. Half precision in the file is widened.

    Raises Refusal if the file is missing, damaged, of a newer format, of a game that is not in the catalogue, or if
    its header asks for other networks than its tensors are. Takes no more memory than the
    file has bytes, twice; in half precision four times.
    """
    path = Run.open(path).best if folder(path).is_dir() else place(path)
    if not path.is_file():
        raise Refusal(f"{path}: no such file. Wanted a snapshot (.safetensors) or a run's folder.")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: _widened(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError, LookupError, AttributeError) as error:
        raise Refusal(f"{path}: not a complete safetensors file ({error}). Load another snapshot.") from error
    if "zerosum" not in metadata:
        raise Refusal(f"{path}: has no header of ours. Wanted a snapshot that Zerosum saved.")
    return _rebuild(path, metadata["zerosum"], tensors).to(device_of(device))


def _widened(tensor: Tensor) -> Tensor:
    """Numbers of half precision, such as the zoo keeps, as float32."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _rebuild(path: Path, text: str, tensors: dict[str, Tensor]) -> Generator:
    """The networks that the header describes, first without memory: a made-up header could ask for terabytes."""
    try:
        header = Header.from_json(text)
        with without_memory():
            generator = _blank(header).as_saved(tensors)
            wanted = generator.state_dict()
    except Refusal as refusal:
        raise Refusal(f"{path}: {refusal}") from refusal
    except Exception as error:  # there is no end to what a made-up config does to a constructor
        raise Refusal(f"{path}: its header describes no network ({error!r:.200}). Load another snapshot.") from error
    if fault := _difference(wanted, tensors):
        raise Refusal(f"{path}: its tensors are not those of {header.game}: {fault}. Load another snapshot.")
    aligned = {name: tensor.clone() for name, tensor in tensors.items()}  # where they lie tips last bits
    generator.load_state_dict(aligned, assign=True)
    generator.header = header
    return generator.eval().requires_grad_(False)


def _blank(header: Header) -> Generator:
    """The header's generator with fresh weights."""
    game_type = catalog.game(header.game)
    return game_type(catalog.config(game_type, header.config), header.shape).generator()


def _difference(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    """The first tensor that is missing, too many, or of another shape or type, in words; None if all agree."""
    for name in [*wanted, *found]:
        want, came = (
            f"{t.dtype} {list(t.shape)}" if t is not None else "none" for t in (wanted.get(name), found.get(name))
        )
        if want != came:
            return f"{name:.100} is {came}, wanted {want}"
    return None
