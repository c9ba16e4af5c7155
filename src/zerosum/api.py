"""Training from Python: `zs.train("dcgan", "photos", minutes=10)`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zerosum.core import catalog
from zerosum.core.batch import Attribute, DataShape, Source, called
from zerosum.core.blank import without_memory
from zerosum.core.errors import Refusal
from zerosum.core.game import Game
from zerosum.core.machine import choose
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.data.catalog import (
    is_table,
    lies_in,
    open_source,
    parted,
    place_of,
    refuse_number,
    refuse_unknown,
    usual_side,
)
from zerosum.training import trainer
from zerosum.training.distributed import Team, joined
from zerosum.training.recipe import complete, differences, recipe_of
from zerosum.training.room import refuse_oversized
from zerosum.training.screen import Bar, Screen, Silent


def train(
    game: str,
    source: Source | str | Path,
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

    `source`: a folder or zip of pictures, taken at 64 x 64, a set's name, at its usual size (`zs.folder` and its like
    take other sizes), a table's file, or what these return. `settings` are the game's own (`zerosum train GAME --help`
    lists them); `plan` holds all else. Without `run`, the run of the same recipe under `runs` goes on, or a new one
    begins. A finished run is left as it is, and the screen says so. `about` is kept in run.json (the command line notes
    itself there).
    Returns the run: `run.best` is its best snapshot, `run.path / "report.html"` its report.
    Raises Refusal where it cannot train (see `check` and `trainer.train`), and Interrupted if it was stopped with all
    saved.
    """
    plan, settings, about = plan or Plan(), settings or {}, about or {}
    if minutes is not None or images is not None:
        plan = replace(plan, minutes=minutes, images=images)
    with joined() as team:
        screen = screen or (Bar() if team.leads else Silent())
        if isinstance(source, str | Path):
            check(game, [str(source)], settings, plan, run, runs, team=team)
            side = usual_side(str(source))
            about = {"opened": {"data": absolute(source), "resolution": side}, **about}
            with team.lead_first():
                source = open_source(str(source), side, progress=team.leads)
        played = build(game, source, settings, plan.seed)
        folder = team.agree(_folder(played, source, plan, run, Path(runs), team) if team.leads else Run(""))
        is_finished = team.agree((folder.path / "run.json").is_file() and folder.is_finished)
        if is_finished:
            screen.say(
                f"{folder.path}: this very run is finished; nothing is trained twice. Another begins with another seed "
                "(seed=1), a longer budget, or a folder of its own (run=...)."
            )
        else:
            try:
                trainer.train(played, source, folder, plan, screen, about)
            finally:
                if team.leads and run is None and not (folder.path / "run.json").is_file():
                    folder.clear()  # it was refused, or stopped, before it began
        if team.leads and not (is_finished and (folder.path / "report.html").is_file()):
            from zerosum.report.page import write_report  # its charts take half a second to import

            write_report(folder)
    return folder


def build(game: str, source: Source, settings: dict[str, Any], seed: int) -> Game:
    """The game with its first weights, which depend on the seed alone. Raises Refusal for what it cannot play."""
    game_type = catalog.game(game)
    if not isinstance(source, Source):
        raise Refusal(
            f"a {type(source).__name__} holds no data to train on. Wanted a folder or zip of pictures, a set's name, "
            "or what zs.folder returns."
        )
    if not issubclass(source.holds, game_type.plays_on):
        raise Refusal(f"{game} plays on {called(game_type.plays_on)}; {source.name} holds {source.holds.called}.")
    config = catalog.config(game_type, settings)
    with contextlib.suppress(RuntimeError):
        refuse_oversized(_imagined(game_type, config, source.shape))
    torch.manual_seed(seed)
    return game_type(config, source.shape)


def _imagined(game_type: type[Game], config: Any, shape: DataShape) -> Game:
    """The game without memory. Raises RuntimeError where a network cannot do without."""
    with without_memory():
        return game_type(config, shape)


def check(
    game: str,
    sets: Sequence[str],
    settings: dict[str, Any],
    plan: Plan,
    run: str | Path | None,
    runs: str | Path,
    shape: DataShape | None = None,
    team: Team | None = None,
) -> None:
    """Raises Refusal for all that can be told before a picture is read: an unknown game or setting, data that is none
    or is itself a run, two sets where one is wanted, a device that is not here, a batch that cannot be parted, a place
    that is taken.

    `sets`: what is named to train on, one set or two. `shape`: of the pictures to come, as far as it is known.
    """
    for name in sets:
        refuse_unknown(name)
    game_type = catalog.game(game)
    refuse_number(sets, game_type.plays_on, f"{game} plays on")
    config = catalog.config(game_type, settings)
    choose(plan)
    with contextlib.suppress(RuntimeError):
        some = (Attribute("class", ("a", "b")),)  # for games that learn labels: which there are is not known yet
        imagined = _imagined(game_type, config, replace(shape or DataShape(64, 64), attributes=some))
        complete(imagined, plan, team)
        if shape is not None and not any(map(is_table, sets)):  # else its size is not known yet
            refuse_oversized(imagined)
    for data in map(place_of, sets):
        _refuse_a_run(data)
        _refuse_a_place_within(data, *(("runs", Path(runs)) if run is None else ("run", Path(run))))
    if run is not None:
        _refuse_foreign_files(Path(run))


def absolute(data: str | Path) -> str:
    """The whole path of a folder or zip, its selection behind it; the name of a set as it is."""
    base, _ = parted(str(data))
    return f"{Path(base).absolute()}{str(data)[len(base) :]}" if Path(base).exists() else str(data)


def _refuse_a_run(data: Path) -> None:
    """A run's grids and charts are pictures too: whoever trained on them by mistake would never be told."""
    for pattern in ("run.json", "*/run.json", "runs/*/run.json"):
        for path in sorted(data.glob(pattern)) if data.is_dir() else ():
            run, info = Run(path.parent), {}
            with contextlib.suppress(Refusal):
                info = run.info
            if "recipe" not in info:  # somebody else's file of that name
                continue
            if run.path != data:
                raise Refusal(f"{data} holds runs, such as {run.path}: their charts would become pictures to learn "
                              "from. Name a folder that holds your own pictures alone.")  # fmt: skip
            opened, noted = info.get("opened") or {}, info.get("data") or {}
            named = [opened[which] for which in ("data", "second") if opened.get(which)]
            its = " and ".join(named) or noted.get("name", "?")
            on = f"To go on, run the same command again: {info.get('command', 'zs.train(...)')}"
            if info.get("finished"):
                on = f"It is finished; `zerosum sample {data}` draws."
            raise Refusal(f"{data} is a run's folder; its data was {its}: train on that. {on}")


def _refuse_a_place_within(data: Path, option: str, place: Path) -> None:
    outside = data.resolve().parent / "runs" / (place.name if option == "run" else "")
    if lies_in(place, data):
        raise Refusal(
            f"{option}={place} lies in the data's folder, {data}: grids and charts would become pictures to learn "
            f"from. Name a place outside, such as {option}={outside}."
        )


def _refuse_foreign_files(path: Path) -> None:
    """A run's folder is new, or a run's. Hidden files are locks."""
    if path.is_dir() and not (path / "run.json").is_file():
        held = sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
        if held:
            raise Refusal(f"run={path}: holds files, such as {held[0]}, and no run. Name a new folder.")


def _folder(game: Game, source: Source, plan: Plan, run: str | Path | None, runs: Path, team: Team) -> Run:
    recipe = recipe_of(game, source, plan, team)
    if run is not None:
        named = Run(run)
        _refuse_foreign_files(named.path)
        if (named.path / "run.json").is_file() and named.is_finished and named.info.get("recipe") != recipe:
            apart = "; ".join(differences(named.info, game, source, plan, team))
            raise Refusal(f"{run}: a finished run of another recipe is there: {apart}. Name another folder.")
        return named
    return Run.unfinished(runs, recipe) or _finished(runs, recipe) or Run.numbered(runs, game.name(), source.name)


def _finished(runs: Path, recipe: str) -> Run | None:
    """The newest finished run of this recipe, if there is one."""
    for path in sorted(runs.glob("*/run.json"), reverse=True):
        with contextlib.suppress(Refusal):
            if Run(path.parent).info.get("recipe") == recipe:
                return Run(path.parent)
    return None
