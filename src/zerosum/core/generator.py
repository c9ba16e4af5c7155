"""What a run leaves behind: a generator with its judge, saved as one safetensors file that describes itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from zerosum.core import catalog
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.files import save_tensors
from zerosum.core.machine import device_of
from zerosum.core.pictures import grid, to_uint8
from zerosum.core.run import Run

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

    @classmethod
    def from_json(cls, text: str) -> Header:
        """The inverse of `to_json`. Raises Refusal for a format newer than this version knows."""
        record = json.loads(text)
        if record.get("format", 0) > FORMAT:
            raise Refusal(f"the file has format {record['format']}, this version reads up to {FORMAT}: update zerosum.")
        return cls(**{**record, "shape": DataShape.from_json(record["shape"])})


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
class Styles(Protocol):
    """Has an intermediate latent space (StyleGAN's W)."""

    def map(self, z: Tensor) -> Tensor: ...

    def synthesize(self, w: Tensor) -> Tensor: ...


@runtime_checkable
class Encodes(Protocol):
    """Finds the latents of pictures."""

    def encode(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Translates(Protocol):
    """Turns a picture into another."""

    def translate(self, x: Tensor) -> Tensor: ...


@runtime_checkable
class Continues(Protocol):
    """Goes on with a sequence."""

    def proceed(self, x: Tensor, length: int) -> Tensor: ...


@runtime_checkable
class Judges(Protocol):
    """Gives pictures, float [n, C, H, W] in [-1, 1], a score [n]; higher looks more real to it."""

    def score(self, x: Tensor) -> Tensor: ...


class Generator(nn.Module):
    """Networks that make something, with their header. Subclasses add capabilities: the protocols above."""

    def __init__(self, header: Header, judge: nn.Module | None = None):
        super().__init__()
        self.header = header
        self.judge = judge

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return next(self.parameters()).device

    def images(self, n: int, seed: int = 0, batch: int = 64) -> Tensor:
        """n pictures, float32 [n, C, H, W] in [-1, 1] on the CPU. Picture i depends on `seed` and i alone.

        Raises Refusal if this generator does not sample.
        """
        if not isinstance(self, Samples):
            raise Refusal(f"{self.header.game} makes nothing from noise alone: it does not sample.")
        z = self.latents(n, seed)
        with torch.inference_mode():
            return torch.cat([self(part.to(self.device)).float().cpu() for part in z.split(batch)])

    def sample(self, n: int, seed: int = 0, batch: int = 64) -> np.ndarray:
        """n pictures, uint8 [n, H, W, C]."""
        return to_uint8(self.images(n, seed, batch))

    def grid(self, n: int = 16, seed: int = 0) -> Image.Image:
        """n pictures side by side, as near to a square as n allows."""
        return grid(self.sample(n, seed))

    def save(self, path: str | Path, images: int | None = None) -> None:
        """Writes the file whole or not at all."""
        header = self.header if images is None else replace(self.header, images=images)
        save_tensors(Path(path), self.state_dict(), {"zerosum": header.to_json()})


class LatentGenerator(Generator):
    """Samples and Judges: a network G from normal latents [n, z_dim] to pictures, and its discriminator D."""

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

    def score(self, x: Tensor) -> Tensor:
        """The discriminator's logits [n] for pictures x [n, C, H, W] in [-1, 1]."""
        if self.judge is None:
            raise Refusal("this file holds no judge: it was saved without its discriminator.")
        return self.judge(x).flatten()


def load(path: str | Path, device: str = "cpu") -> Any:
    """The generator in a file, or the best one of a run's folder, in evaluation mode, with its judge.

    Raises Refusal if the file is missing, damaged, of a newer format, or of a game that is not in the catalogue.
    """
    path = Run.open(path).best if Path(path).is_dir() else Path(path)
    if not path.is_file():
        raise Refusal(f"{path}: no such file. Wanted a snapshot (.safetensors) or a run's folder.")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise Refusal(f"{path}: not a complete safetensors file ({error}). Load another snapshot.") from error
    if "zerosum" not in metadata:
        raise Refusal(f"{path}: has no header of ours. Wanted a snapshot that Zerosum saved.")
    return _rebuild(path, metadata["zerosum"], tensors).to(device_of(device))


def _rebuild(path: Path, text: str, tensors: dict[str, Tensor]) -> Generator:
    try:
        header = Header.from_json(text)
        game_type = catalog.game(header.game)
        game = game_type(catalog.config(game_type, header.config), header.shape)
    except (TypeError, ValueError, KeyError) as error:
        raise Refusal(f"{path}: its header cannot be read ({error}). Load another snapshot.") from error
    generator = game.generator()
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise Refusal(f"{path}: its tensors are not those of {header.game}: {error}") from error
    generator.header = header
    return generator.eval().requires_grad_(False)
