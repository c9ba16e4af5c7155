"""How far GANs came: the same pictures by each game, as many minutes each.

`python -m zerosum.bench._far [MINUTES]` trains what is not in the cache, on avatars and on fruit, and draws the docs'
figures: a column a game, with its year; the scores go to docs/img/far.json. By default ten minutes each, two hours and
a half in all.
"""

from __future__ import annotations

import sys
from pathlib import Path

from zerosum.bench._frame import cached_run
from zerosum.core import family
from zerosum.core.batch import Source
from zerosum.core.files import save_json
from zerosum.core.generator import Generator, load
from zerosum.core.pictures import labelled_columns, save_png
from zerosum.core.plan import Plan
from zerosum.data.catalog import open_source
from zerosum.data.unpaired import unpaired
from zerosum.metrics.panel import Panel

GAMES = ("gan", "dcgan", "cogan", "progan", "msggan", "stylegan2", "house")
SETS = {  # and two kinds of each, for cogan
    "avatars": ("avatars:glasses=none", "avatars:glasses=sunglasses"),
    "fruit": ("fruit:fruit=apple", "fruit:fruit=melon"),
}
ROWS, JUDGED, SIDE = 8, 1000, 64
IMAGES = Path("docs/img")
SCORES = ("kid", "kid_random", "coverage")


def made(game: str, name: str, minutes: float) -> Generator:
    """What a game ends with; cogan, which takes two sets, is given two kinds of the pictures."""
    source: Source = open_source(name, SIDE, progress=False)
    if game == "cogan":
        source = unpaired(*(open_source(part, SIDE, progress=False) for part in SETS[name]))
    return load(cached_run(game, source, Plan(minutes=minutes, score=0)).snapshots[-1])


def drawn(name: str, minutes: float) -> dict[str, dict[str, float]]:
    """Draws a set's figure, and returns each game's scores. Those of cogan, which saw two kinds alone, are left out."""
    panel = Panel(open_source(name, SIDE, progress=False), n=JUDGED)
    makers = {game: made(game, name, minutes) for game in GAMES}
    titles = [f"{game} {family.card(game).year}" for game in GAMES]
    save_png(
        labelled_columns([g.sample(ROWS, seed=0) for g in makers.values()], titles, scale=1), IMAGES / f"far-{name}.png"
    )
    found = {}
    for game in (game for game in GAMES if game != "cogan"):
        scores = panel.score(makers[game].sample(JUDGED, seed=1000))
        found[game] = {key: scores[key]["value"] for key in SCORES} | {"images": makers[game].header.images}
    return found


if __name__ == "__main__":
    time = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    results = {name: drawn(name, time) for name in SETS}
    save_json(IMAGES / "far.json", {"minutes": time, "judged": JUDGED, "seed": 0, "scores": results})
