"""Train a game on a folder of pictures, a zip, a table, or a named set of data."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from zerosum.cli._common import named, parse, resolution, show
from zerosum.core import catalog
from zerosum.core.errors import Refusal, nearest
from zerosum.core.plan import Plan
from zerosum.data.catalog import is_known, is_table, place_of, refuse_a_look, refuse_unknown, usual_side

if TYPE_CHECKING:
    from zerosum.core.run import Run
    from zerosum.data.pictures import Pictures
    from zerosum.data.table import Rows
    from zerosum.training.distributed import Team

FEW = 1000  # pictures, below which it is said that they are few


@dataclass(frozen=True)
class Options:
    """What every game is trained with."""

    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    """A folder or zip of pictures, a table (.csv, .tsv, .parquet), or the name of a set (`zerosum data list`).
    Of labelled pictures those of a class alone: DATA:LABEL=CLASS, such as avatars:glasses=none,hat=none."""
    second: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="[DATA]", help_behavior_hint="")] = None
    """A second set of pictures, for games that play on two sets without pairs."""
    plan: Plan = field(default_factory=Plan)
    """How long, how much at once, how often it reports."""
    resolution: Annotated[
        tuple[int, ...] | None,
        tyro.conf.arg(metavar="N [N]", help_behavior_hint="(default: 64; of some sets their own)"),
    ] = None
    """Pixels a side; two numbers for height and width."""
    channels: Annotated[
        Literal[1, 2, 3, 4] | None, tyro.conf.arg(metavar="{1,2,3,4}", help_behavior_hint="(default: 3)")
    ] = None
    """Of pictures in a folder: 1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha."""
    ground: Annotated[str | None, tyro.conf.arg(metavar="COLOUR", help_behavior_hint="(default: white)")] = None
    """What lies under see-through pictures where no alpha is kept: a name or #rrggbb."""
    frames: Annotated[
        Literal["first", "all"] | None, tyro.conf.arg(metavar="{first,all}", help_behavior_hint="(default: first)")
    ] = None
    """Of moving pictures in a folder (GIF, WebP, APNG): the first frame, or each as a picture of its own."""
    run: Annotated[
        Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="(default: numbered, under --runs)")
    ] = None
    """The run's folder; a stopped run in it goes on."""
    runs: Path = Path("runs")
    """Where runs are kept."""
    json: bool = False
    """Print the result as JSON; no bar."""

    @property
    def sets(self) -> list[str]:
        """What is named to train on: one set or two."""
        return [self.data, *([self.second] if self.second is not None else [])]


def main(argv: list[str]) -> None:
    """`zerosum train [GAME] DATA ...`; the first word is a game if the catalogue knows it."""
    _refuse_a_mistyped_game(argv)
    named = bool(argv) and argv[0] in catalog.names()
    rest = argv[1:] if named else argv
    sets = list(itertools.takewhile(lambda word: not word.startswith("-"), rest))
    if len(sets) > 2:
        first = ", ".join(sets[:3]) + (" ..." if len(sets) > 3 else "")
        raise Refusal(
            f"{len(sets)} sets of data came: {first}. Wanted one, or two for games that take two. Of many files name "
            "their folder."
        )
    for data in sets:
        refuse_unknown(data)  # before torch is imported, which takes seconds
    name, why = argv[0] if named else catalog.DEFAULT, ""
    verb, description = f"train {name}" if named else "train", _about(name, named)
    if not named and not {"-h", "--help"}.isdisjoint(argv):
        parse(Options, argv, "train [GAME]", description)
    options: Any = parse(_with_settings(name), rest, verb, description)
    if not named:
        name, why = _picked(options.sets)
        if name != catalog.DEFAULT:
            options = parse(_with_settings(name), rest, verb, description)
    _train(name, options, ["zerosum", "train", *argv], why)


def _picked(sets: list[str]) -> tuple[str, str]:
    """The game where none is named, and why this one."""
    if len(sets) == 2:
        return "cogan", "the data are two sets of pictures, and it learns what they have in common."
    if sets and is_table(sets[0]):
        return "gan", "the data are a table, and it draws new rows."
    return catalog.DEFAULT, "the data are pictures, and it makes the most of minutes."


def _refuse_a_mistyped_game(argv: list[str]) -> None:
    """Two plain words, the first neither a game nor data: that it is no data would only be half of the truth."""
    plain = len(argv) > 1 and not any(word.startswith("-") for word in argv[:2])
    if plain and argv[0] not in catalog.names() and not is_known(argv[0]):
        raise Refusal(f"no game '{argv[0]}'{nearest(argv[0], catalog.names())} `zerosum games` lists them.")


def _about(name: str, named: bool) -> str:
    if named:
        return catalog.game(name).__doc__ or ""
    games = "\n".join(f"  {game:<10} {catalog.summary(game)}" for game in catalog.names())
    return (
        f"Train on pictures. Without GAME, {catalog.DEFAULT} plays; on two sets cogan, on a table gan.\n\n"
        f"Games (`train GAME --help`: settings):\n{games}"
    )


def _with_settings(name: str) -> type:
    """Options, and the game's own settings beside them."""
    config = named(catalog.game(name).Config)
    settings = ("settings", config, field(default_factory=config))
    return make_dataclass("Options", [settings], bases=(Options,), frozen=True)


def _train(name: str, options: Any, command: list[str], why: str) -> None:
    from zerosum import api
    from zerosum.core.batch import DataShape
    from zerosum.data.catalog import open_source
    from zerosum.data.unpaired import unpaired
    from zerosum.training.distributed import joined
    from zerosum.training.screen import Bar, Silent

    asked = (usual_side(*options.sets),) if options.resolution is None else options.resolution
    sides = resolution(asked)
    given = {"channels": options.channels, "ground": options.ground, "frames": options.frames}
    given = {key: value for key, value in given.items() if value is not None}
    for data in options.sets:
        refuse_a_look(data, bool(given))
    look = {"channels": 3, "ground": "white", "frames": "first", **given}
    settings, shape = asdict(options.settings), DataShape(*sides, look["channels"])
    with joined() as team:
        api.check(name, options.sets, settings, options.plan, options.run, options.runs, shape, team)
        with team.lead_first():
            shown = team.leads and not options.json
            if shown:
                if why:
                    print(f"{name} plays: {why} Others: zerosum games", file=sys.stderr)
                for data in options.sets:
                    _say_what_is_read(data)
            sets: list[Any] = [open_source(data, sides, progress=shown, **look) for data in options.sets]
        if team.leads and is_table(options.data):
            _say_of_the_table(*sets)
        elif team.leads:
            for source in sets:
                _say_what_was_refused(source)
                _say_what_there_is(source)
        run = api.train(
            name,
            unpaired(*sets) if len(sets) == 2 else sets[0],
            settings=settings,
            plan=options.plan,
            run=options.run,
            runs=options.runs,
            screen=Bar() if shown else Silent(),
            about={
                "command": shlex.join([*_started_by(team), *command]),
                "opened": {**_places(options.sets), "resolution": sides, **look},
            },
        )
        if team.leads:
            _say_what_came_of_it(run, options.json)


def _places(sets: list[str]) -> dict[str, str]:
    """Where the data is to be found again, for run.json: {"data"}, with a second set {"data", "second"}."""
    from zerosum.api import absolute

    return dict(zip(("data", "second"), map(absolute, sets), strict=False))


def _started_by(team: Team) -> list[str]:
    """What stands before the command where torchrun started so many processes: alone, it would be another recipe."""
    return ["torchrun", "--nproc-per-node", str(team.size), "-m", "--"] if team.size > 1 else []


def _say_what_came_of_it(run: Run, as_json: bool) -> None:
    from zerosum.report.page import longer, played, what_comes_of
    from zerosum.training.patience import chosen

    report, path = run.path / "report.html", shlex.quote(str(run.path))
    seconds = run.times()[-1]["seconds"] if run.times() else 0.0
    scores = chosen(run.metrics())  # of the snapshot that draws
    record = {"run": str(run.path), "best": str(run.best), "report": str(report), "scores": scores}
    makes = what_comes_of(played(run))
    unscored = f"Not scored; `zerosum evaluate {run.path}` tries it." if makes == "pictures" else ""
    verdict = (
        f"Its best snapshot, after {scores['images']:,} images: {scores['verdict']['text']}" if scores else unscored
    )
    following = {
        "pictures": f"Draw more:  zerosum sample {path} -n 64 -o grid.png",
        "rows": f"Draw more:  zerosum sample {path} -n 1000 -o rows.csv",
        "codes": f"Encode:     zerosum reduce {path} DATA -o codes.parquet",
    }
    lines = [f"Report:     {report}", following[makes]]
    if early := run.info.get("stopped"):
        done = f"Stopped by --stop after {early:,} images, in {_duration(seconds)}: nothing more was expected."
    else:
        done = f"Done: {run.images:,} images in {_duration(seconds)}."
        again = longer(run.info.get("command") or "zerosum train", seconds)
        lines.append(f"Go longer:  {again}   (a new run, from the start)")
    if not as_json:
        print(f"\n{done} {verdict}".rstrip(), file=sys.stderr)
    show(record, as_json, "\n".join(lines))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.1f} minutes"


def _say_what_is_read(data: str) -> None:
    """Where no bar can be seen, the first minute would pass in silence."""
    if not sys.stderr.isatty():
        first = "" if place_of(data).exists() else "; the first time it is drawn or fetched, which may take a minute"
        print(f"reading {data}{first} ...", file=sys.stderr)


def _say_of_the_table(source: Rows) -> None:
    """On stderr: which columns were passed over or filled in, and how many rows and columns there are."""
    for name, reason in source.refused:
        print(f"column {name}: {reason}", file=sys.stderr)
    heldout = source.heldout()
    apart = f", {len(heldout):,} held out to judge by" if heldout is not None else ""
    print(f"{source.name}: {len(source):,} rows to train on{apart}; {source.shape}", file=sys.stderr)


def _say_what_there_is(source: Pictures) -> None:
    """On stderr: how many pictures, with which labels, and whether they are few."""
    num, heldout = len(source), source.heldout()
    apart = f", {len(heldout):,} held out to judge by" if heldout is not None else ""
    print(f"{source.name}: {num:,} pictures to train on{apart}; {_labels(source)}", file=sys.stderr)
    if num < FEW:
        print(
            "That is few: expect likenesses of them, and little that is new. Some thousands are usual; "
            "`zerosum data inspect` says what would help.",
            file=sys.stderr,
        )
    if source.shape.attributes:
        _say_what_is_rare(source)


def _say_what_is_rare(source: Pictures, most: int = 3) -> None:
    """On stderr: the classes that have less than a tenth of an even share of the pictures."""
    import numpy as np

    codes, num, rare = source.labels(np.arange(len(source))), len(source), []
    for column, label in zip([] if codes is None else codes.T, source.shape.attributes, strict=True):
        counts = np.bincount(column, minlength=len(label.classes))
        least = num / (10 * len(label.classes))
        rare += [
            (int(n), f"{label.name}={name}") for name, n in zip(label.classes, counts, strict=True) if 0 < n < least
        ]
    if rare:
        shown = ", ".join(f"{name} ({count:,} of {num:,})" for count, name in sorted(rare)[:most])
        more = f" and {len(rare) - most} more" if len(rare) > most else ""
        print(f"rare: {shown}{more}: expect little of {'it' if len(rare) == 1 else 'them'}", file=sys.stderr)


def _labels(source: Pictures, most: int = 4) -> str:
    """In one line: "labels: class (cat, dog)"; of many classes or labels, how many."""
    labels = [
        f"{label.name} ({', '.join(label.classes) if len(label.classes) <= most else f'{len(label.classes)} classes'})"
        for label in source.shape.attributes
    ]
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"labels: {', '.join(labels[:most])}{more}" if labels else "no labels"


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
