"""Train a game on a folder of pictures, a zip, or a named set of data."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from zerosum.cli._common import parse
from zerosum.core import catalog
from zerosum.core.errors import Refusal, nearest
from zerosum.core.plan import Plan

if TYPE_CHECKING:
    from zerosum.core.run import Run
    from zerosum.data.pictures import Pictures


@dataclass(frozen=True)
class Options:
    """What every game is trained with."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """A folder or zip of pictures, or the name of a set (`zerosum data list`)."""
    plan: Plan = field(default_factory=Plan)
    """How long, how much at once, how often it reports."""
    resolution: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N [N]")] = (64,)
    """Pixels a side; two numbers for height and width."""
    channels: Literal[1, 2, 3, 4] = 3
    """Of pictures in a folder: 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha."""
    ground: Annotated[str, tyro.conf.arg(metavar="COLOUR")] = "white"
    """What lies under see-through pictures where no alpha is kept: a name or #rrggbb."""
    frames: Literal["first", "all"] = "first"
    """Of moving pictures in a folder (GIF, WebP, APNG): the first frame, or each as a picture of its own."""
    run: Annotated[
        Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: numbered, under --runs)")
    ] = None
    """The run's folder; a stopped run in it goes on."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    json: bool = False
    """Print the result as JSON; no bar."""


def main(argv: list[str]) -> None:
    """`zerosum train [GAME] DATA ...`; the first word is a game if the catalogue knows it."""
    _refuse_a_mistyped_game(argv)
    name, rest = (argv[0], argv[1:]) if argv and argv[0] in catalog.names() else (catalog.DEFAULT, argv)
    description = _about(name, named=name == (argv[0] if argv else None))
    if name == catalog.DEFAULT and rest is argv and not {"-h", "--help"}.isdisjoint(argv):
        parse(Options, argv, "train [GAME]", description)
    options: Any = parse(_with_settings(name), rest, f"train {name}", description)
    _train(name, options, ["zerosum", "train", *argv])


def _refuse_a_mistyped_game(argv: list[str]) -> None:
    """Two plain words, the first no game: the parser would only say that there is one too many."""
    plain = len(argv) > 1 and not any(word.startswith("-") for word in argv[:2])
    if plain and argv[0] not in catalog.names():
        raise Refusal(f"no game '{argv[0]}'{nearest(argv[0], catalog.names())} `zerosum games` lists them.")


def _about(name: str, named: bool) -> str:
    if named:
        return catalog.game(name).__doc__ or ""
    games = "\n".join(f"  {game:<10} {catalog.summary(game)}" for game in catalog.names())
    return (
        f"Train on pictures. Without GAME, {catalog.DEFAULT} plays.\n\nGames (`train GAME --help`: settings):\n{games}"
    )


def _with_settings(name: str) -> type:
    """Options, and the game's own settings beside them."""
    config = catalog.game(name).Config
    settings = ("settings", config, field(default_factory=config))
    return make_dataclass("Options", [settings], bases=(Options,), frozen=True)


def _train(name: str, options: Any, command: list[str]) -> None:
    from zerosum import api
    from zerosum.data.catalog import open_data
    from zerosum.training.distributed import joined
    from zerosum.training.screen import Bar, Silent

    resolution = options.resolution[0] if len(options.resolution) == 1 else tuple(options.resolution)
    at = Path(options.data)
    look: dict[str, Any] = {"channels": options.channels, "ground": options.ground, "frames": options.frames}
    opened = {"data": str(at.absolute()) if at.exists() else options.data, "resolution": resolution, **look}
    with joined() as team:
        with team.lead_first():
            source = open_data(options.data, resolution, progress=team.leads and not options.json, **look)
        if team.leads:
            _say_what_was_refused(source)
        run = api.train(
            name,
            source,
            settings=asdict(options.settings),
            plan=options.plan,
            run=options.run,
            runs=options.runs,
            screen=Bar() if team.leads and not options.json else Silent(),
            about={"command": shlex.join(command), "opened": opened},
        )
        if team.leads:
            _say_what_came_of_it(run, options.json)


def _say_what_came_of_it(run: Run, as_json: bool) -> None:
    report = run.path / "report.html"
    scores = run.metrics()[-1] if run.metrics() else None
    if as_json:
        print(json.dumps({"run": str(run.path), "best": str(run.best), "report": str(report), "scores": scores}))
        return
    print(f"\nDone. {scores['verdict']['text'] if scores else ''}", file=sys.stderr)
    print(f"Report:    {report}\nTry next:  zerosum sample {run.path} -n 64 -o grid.png")


def _say_what_was_refused(source: Pictures, most: int = 10) -> None:
    """On stderr: what was passed over, by name and then counted by reason, and how many pictures there are."""
    if not source.refused:
        return
    for name, reason in source.refused[:most]:
        print(f"passed over: {name}: {reason}", file=sys.stderr)
    kinds = Counter(reason.partition(" (")[0] for _, reason in source.refused[most:])
    for kind, num in kinds.most_common(most):
        print(f"passed over: {num:,} more: {kind}", file=sys.stderr)
    heldout = source.heldout()
    taken = len(source) + (len(heldout) if heldout is not None else 0)
    print(f"{taken:,} pictures taken, {len(source.refused):,} files passed over", file=sys.stderr)
