"""Optimizers without torch's compiler."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from zerosum.training.uncompiled import make, step

TRAIN = """
import sys
import numpy as np
from PIL import Image
from zerosum.cli import main
for i in range(8):
    Image.fromarray(np.random.default_rng(i).integers(0, 255, (32, 32, 3), np.uint8)).save(f"{i}.png")
main(["train", "house", ".", "--run", sys.argv[1], "--resolution", "32", "--images", "32", "--score", "0", "--json"])
assert "torch.optim" in sys.modules
assert "torch._dynamo" not in sys.modules, "the compiler was imported: a second or two before the first step"
"""


@pytest.mark.parametrize("kind", [Adam, AdamW, RMSprop, SGD])
def test_a_step_is_torchs_own(kind: type[Optimizer]) -> None:
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(5)) for _ in range(2))
    mine, plain = make(lambda p: kind(p, lr=0.1), [ours]), kind([theirs], lr=0.1)  # type: ignore[call-arg]
    for _ in range(3):
        ours.grad = torch.randn(5)
        theirs.grad = ours.grad.clone()
        step(mine)
        plain.step()
    assert torch.equal(ours, theirs)
    assert ours.requires_grad
    again = make(lambda p: kind(p, lr=0.1), [ours])  # type: ignore[call-arg]
    again.load_state_dict(mine.state_dict())
    assert again.state_dict()["state"].keys() == plain.state_dict()["state"].keys()


def test_a_run_does_without_the_compiler(tmp_path: Path) -> None:
    run = tmp_path / "run"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(run)], cwd=pictures, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
