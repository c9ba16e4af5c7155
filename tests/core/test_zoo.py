"""Generators that come with the package, by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zerosum as zs
from zerosum.core import zoo
from zerosum.core.batch import DataShape
from zerosum.core.files import save_tensors
from zerosum.games.house import House, Settings


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    return tmp_path / "zoo"


def keep(folder: Path, name: str, dtype: torch.dtype) -> zs.Run:
    folder.mkdir(exist_ok=True)
    generator = House(Settings(z=4, width=2), DataShape(16, 16)).generator().eval()
    tensors = {n: t.to(dtype) if t.is_floating_point() else t for n, t in generator.state_dict().items()}
    save_tensors(folder / f"{name}.safetensors", tensors, {"zerosum": generator.header.to_json()})
    return generator  # type: ignore[return-value]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_of_the_zoo_is_loaded_by_its_name_in_whatever_precision_it_was_kept(
    shelf: Path, dtype: torch.dtype
) -> None:
    kept = keep(shelf, "blobs-16", dtype)
    g = zs.load("zoo:blobs-16")
    z = g.latents(2, seed=0)
    assert g(z).dtype == torch.float32
    assert torch.allclose(g(z), kept(z), atol=2e-2)  # type: ignore[operator]


def test_other_paths_are_left_alone(shelf: Path) -> None:
    assert zoo.place("runs/zoo:x") == Path("runs/zoo:x")
    assert not zoo.is_of_the_zoo("zoo/avatars-64")


def test_what_it_lacks_is_refused_with_what_it_has(shelf: Path) -> None:
    with pytest.raises(zs.Refusal, match="no trained generators come with this version"):
        zs.load("zoo:blobs-16")
    keep(shelf, "blobs-16", torch.float16)
    assert zoo.names() == ["zoo:blobs-16"]
    with pytest.raises(zs.Refusal, match="did you mean 'zoo:blobs-16'"):
        zs.load("zoo:blobs-61")


def test_loading_does_not_import_torchs_compiler(shelf: Path) -> None:
    """It takes as long as torch itself."""
    keep(shelf, "blobs-16", torch.float32)
    code = "import sys, zerosum as zs; zs.load(sys.argv[1]).sample(2); sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, shelf / "blobs-16.safetensors"], check=False).returncode == 0
