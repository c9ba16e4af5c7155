"""A made-up run's folder and a made-up generator: small, quick, the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape
from zerosum.core.files import save_json
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.pictures import grid, save_png
from zerosum.core.run import Run

GRIDS = (0, 640, 1280, 1920, 2560)


def made_up_pictures(step: int, n: int = 6, size: int = 16, channels: int = 3) -> np.ndarray:
    """uint8 [n, size, size, channels]; every picture of every step differs from all others."""
    random = np.random.default_rng(step)
    pixels = random.integers(0, 256, (n, size // 4, size // 4, channels), dtype=np.uint8)
    return pixels.repeat(4, 1).repeat(4, 2)


def made_up_run(path: Path, finished: bool = True, empty: bool = False, channels: int = 3, name: str = "blobs") -> Run:
    """A run of 2,560 images with five grids, forty lines of log and two of scores; or with run.json alone."""
    run = Run(path)
    info: dict[str, Any] = {
        "game": "dcgan",
        "config": {"z_dim": 8, "widths": [64, 32], "smooth": None},
        "shape": {"height": 16, "width": 16, "channels": channels, "attributes": []},
        "opened": {"data": name, "resolution": 16},
        "data": {"name": name, "fingerprint": "0123456789abcdef", "count": 64},
        "plan": {"images": None, "minutes": 4.0, "batch": 64, "seed": 0, "precision": "fp32"},
        "total": 2560,
        "versions": {"zerosum": "0.1.0"},
        "machine": {"cores": 2},
        "command": "zerosum train dcgan 'my photos' --minutes 4",
        "finished": finished,
        "parameters": {"G": 1000, "D": 2000},
    }
    run.write_info(info)
    if not empty:
        _fill(run, channels)
    return run


def _fill(run: Run, channels: int) -> None:
    save_png(grid(made_up_pictures(99, channels=channels)), run.path / "reals.png")
    for step, images in enumerate(GRIDS):
        save_png(grid(made_up_pictures(step, channels=channels)), run.path / f"fakes-{images:09d}.png")
    for i in range(1, 41):
        notes = {
            "D_real": 0.5 + 0.01 * i,
            "D_fake": 0.4,
            "G": 2.0 - 0.02 * (i % 7),
            "wasserstein": 0.1 * i,
            "rate": 0.1,
        }
        run.append("log.jsonl", {"images": 64 * i, "rounds": i, **notes})
        run.append("times.jsonl", {"images": 64 * i, "seconds": 6.0 * i, "rate": 10.7})
    for images, value in ((1280, 0.2), (2560, 0.03)):
        run.append("metrics.jsonl", {"images": images, "snapshot": "", "n": 500, **made_up_scores(value)})
        save_json(run.path / "diagnosis.json", made_up_diagnosis(images))


def made_up_diagnosis(images: int) -> dict[str, Any]:
    """What `training.monitor.diagnosis` gives for a run that has collapsed."""
    evidence = {"images": [0.0, 100.0, 200.0], "spread": [0.9, 0.5, 0.02], "twins": [0.0, None, 1.0]}
    finding = {
        "kind": "mode_collapse",
        "severity": "fault",
        "since": 100,
        "says": "Made pictures differ from each other by 2 % of what real ones do.",
        "why": "The generator makes a few pictures and nothing else.",
        "remedy": "zerosum train photos --gamma 10",
        "evidence": evidence,
    }
    return {"images": images, "findings": [finding], "balance": 0.83, "outlook": {"text": "Worth going on."}}


def made_up_scores(value: float) -> dict[str, Any]:
    """Scores of which the run wins the first and the last, and PCA-Gaussian the second."""
    return {
        "kid": {"value": value, "low": value - 0.01, "high": value + 0.01, "floor": 0.001, "pca_gaussian": 0.05},
        "kid_random": {"value": 2 * value, "low": value, "high": 3 * value, "floor": 0.001, "pca_gaussian": 0.02},
        "coverage": {"value": 0.6, "ceiling": 0.97, "pca_gaussian": 0.2},
        "verdict": {"ratio": 1.5, "text": "Better than PCA-Gaussian, and <still> learning."},
    }


class Paint(nn.Module):
    """One colour a picture, straight from the first three latents; [n, 8] to [n, 3, 16, 16]."""

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.ones(1))

    def forward(self, z: Tensor) -> Tensor:
        return (z[:, :3, None, None] * self.strength).tanh().expand(-1, -1, 16, 16)


def made_up_generator(judge: nn.Module | None = None) -> LatentGenerator:
    """Samples from 8 latents; of a game that is in no catalogue."""
    return LatentGenerator(Header("paint", {}, DataShape(16, 16), images=2560, data="blobs"), Paint(), 8, judge)
