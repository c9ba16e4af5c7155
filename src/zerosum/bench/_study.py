"""House's recipe, one thing changed at a time: `python -m zerosum.bench._study` prints a table for the docs.

Each variant plays so many avatars as house does in some three minutes on two cores, from the cache or now: about eight
minutes each on one core. The table is kept in docs/img/house-study.json.
"""

from __future__ import annotations

from pathlib import Path

from zerosum.bench._frame import cached_run
from zerosum.core.files import save_json
from zerosum.core.generator import load
from zerosum.core.plan import Plan
from zerosum.data.avatars import avatars
from zerosum.metrics.panel import Panel

IMAGES = 48_000
JUDGED = 1000
KEPT = Path("docs/img/house-study.json")
VARIANTS: dict[str, tuple[dict, dict]] = {  # by what is changed: settings, plan
    "as it is": ({}, {}),
    "no picture redrawn": ({"redraw": 0.0}, {}),
    "redrawn pictures weigh 8": ({"redraw": 8.0}, {}),
    "batch 32": ({}, {"batch": 32}),
    "batch 8": ({}, {"batch": 8}),
    "rate 0.0004": ({"rate": 4e-4}, {}),
    "rate 0.0016": ({"rate": 1.6e-3}, {}),
    "gamma 0.2": ({"gamma": 0.2}, {}),
    "gamma 10": ({"gamma": 10.0}, {}),
    "64 latents": ({"z": 64}, {}),
    "width 48": ({"width": 48}, {}),
    "no average": ({}, {"average": 0.0}),
}


def study() -> dict[str, dict[str, float]]:
    """The scores of each variant, by its name."""
    source = avatars(64)
    panel = Panel(source, n=JUDGED)
    found = {}
    for name, (settings, plan) in VARIANTS.items():
        run = cached_run("house", source, Plan(images=IMAGES, score=0, **plan), settings)
        scores = panel.score(load(run.snapshots[-1]).sample(JUDGED, seed=1000))
        found[name] = {key: scores[key]["value"] for key in ("kid", "kid_random", "coverage")}
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """In Markdown."""
    lines = ["| changed | KID | KID, untrained judge | coverage |", "|---|---|---|---|"]
    for name, scores in found.items():
        lines.append(f"| {name} | {scores['kid']:.2f} | {scores['kid_random']:.3f} | {scores['coverage']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    results = study()
    save_json(KEPT, {"images": IMAGES, "judged": JUDGED, "seed": 0, "scores": results})
    print(table(results))
