"""Training from Python: `zs.train("dcgan", zs.folder("photos"), minutes=10)`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zerosum.core import catalog
from zerosum.core.batch import Source
from zerosum.core.errors import Refusal
from zerosum.core.game import Game
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.report.page import write_report
from zerosum.training import trainer
from zerosum.training.distributed import Team, joined
from zerosum.training.screen import Bar, Screen, Silent


def train(
    game: str,
    source: Source,
    *,
    minutes: float | None = None,
    images: int | None = None,
    settings: dict[str, Any] | None = None,
    plan: Plan | None = None,
    run: str | Path | None = None,
    runs: str | Path = "runs",
    screen: Screen | None = None,
    about: dict | None = None,
) -> Run:
    """Trains the game of this name on `source` for so many minutes or images, and writes the report.

    `settings` are the game's own (`zerosum train GAME --help` lists them); `plan` holds all else. Without `run`, an
    unfinished run of the same recipe under `runs` goes on, or a new numbered one begins. A finished run is left as it
    is. `about` is kept in run.json (the command line notes itself there). Returns the run: `run.best` is its best
    snapshot, `run.path / "report.html"` its report.
    Raises Refusal where it cannot train (see `trainer.train`), and Interrupted if it was stopped with all saved.
    """
    plan = plan or Plan()
    if minutes is not None or images is not None:
        plan = replace(plan, minutes=minutes, images=images)
    played = build(game, source, settings or {}, plan.seed)
    with joined() as team:
        folder = team.agree(_folder(played, source, plan, run, Path(runs), team) if team.leads else Run(""))
        if not team.agree((folder.path / "run.json").is_file() and folder.is_finished):
            try:
                trainer.train(played, source, folder, plan, screen or (Bar() if team.leads else Silent()), about)
            finally:
                if team.leads and run is None and not (folder.path / "run.json").is_file():
                    folder.clear()  # it was refused, or stopped, before it began
        if team.leads:
            write_report(folder)
    return folder


def build(game: str, source: Source, settings: dict[str, Any], seed: int) -> Game:
    """The game with its first weights, which depend on the seed alone. Raises Refusal for what it cannot play."""
    game_type = catalog.game(game)
    if not issubclass(source.holds, game_type.plays_on):
        raise Refusal(f"{game} plays on {game_type.plays_on.called}; {source.name} holds {source.holds.called}.")
    torch.manual_seed(seed)
    return game_type(catalog.config(game_type, settings), source.shape)


def _folder(game: Game, source: Source, plan: Plan, run: str | Path | None, runs: Path, team: Team) -> Run:
    recipe = trainer.recipe_of(game, source, plan, team)
    if run is not None:
        named = Run(run)
        if (named.path / "run.json").is_file() and named.is_finished and named.info.get("recipe") != recipe:
            raise Refusal(f"{run}: a finished run of another recipe is there. Name another folder.")
        return named
    return Run.unfinished(runs, recipe) or Run.numbered(runs, game.name(), source.name)
