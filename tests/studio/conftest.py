"""Runs to look at, and a studio that serves them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.report.made_up import made_up_run
from tests.studio.browser import studio
from zerosum.core.batch import Attribute, DataShape
from zerosum.core.generator import ConditionalGenerator
from zerosum.games.cgan import CGAN

SECRET = "what no browser may read"
SHAPE = DataShape(32, 32, 3, (Attribute("glasses", ("no", "yes")), Attribute("hair colour", ("red", "none"))))


def made_up_generator() -> ConditionalGenerator:
    """A cgan that knows two labels and has learnt nothing, with weights so large that its pictures differ."""
    torch.manual_seed(0)
    made: ConditionalGenerator = CGAN(CGAN.tiny, SHAPE).generator().eval()  # type: ignore[assignment]
    with torch.no_grad():
        for weight in made.G.parameters():
            if weight.dim() > 1:
                weight.mul_(8)
    return made


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that draws, a stopped one that has saved nothing, one that has just begun, a broken one; beside
    them a file that is nobody's business."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    drawing = made_up_run(folder / "00000-dcgan-blobs")
    made_up_generator().save(drawing.path / "best.safetensors", images=2560)
    made_up_run(folder / "00001-dcgan-blobs", finished=False)
    made_up_run(folder / "00002-dcgan-cats", finished=False, empty=True, name="cats")
    broken = made_up_run(folder / "00003-dcgan-blobs", empty=True)
    (broken.path / "run.json").write_text("{")
    (folder / "secret.txt").write_text(SECRET)
    (folder.parent / "secret.txt").write_text(SECRET)
    return folder


@pytest.fixture(scope="session")
def url(runs: Path) -> Iterator[str]:
    """A studio over them, as a process of its own: its address with the token."""
    with studio(runs) as address:
        yield address
