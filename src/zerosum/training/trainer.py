"""Trains: plays a game's rounds until the clock has run out; logs, draws, scores, saves and resumes on the way."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from zerosum.core import checkpoint
from zerosum.core.batch import Source, called, pictures
from zerosum.core.errors import Interrupted, Refusal
from zerosum.core.game import Game
from zerosum.core.generator import Encodes, Samples
from zerosum.core.machine import choose, describe, versions
from zerosum.core.pictures import grid, save_png, to_uint8
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.training.average import Average, settled
from zerosum.training.distributed import Team, introduce, joined
from zerosum.training.judging import judges, keep_best
from zerosum.training.match import Match
from zerosum.training.monitor import watch
from zerosum.training.patience import outlook
from zerosum.training.recipe import complete, differences, recipe_of, told
from zerosum.training.room import fitting
from zerosum.training.screen import Screen, Silent
from zerosum.training.signals import Stop, heeded
from zerosum.training.trial import trial
from zerosum.training.vitals import Vitals, watched

FACES = 36  # pictures in a grid of fixed noise
CHECKPOINT_SECONDS = 180.0  # beside the checkpoints at each save
SKIPS, ROLL_BACKS = 8, 3  # steps in a row that were not finite before a roll-back; roll-backs before a stop
FEW = 5_000  # images, in which little is learnt
LOOK = 500  # images between two looks at the run's health, at the least


def train(
    game: Game, source: Source, run: Run, plan: Plan, screen: Screen | None = None, about: dict | None = None
) -> None:
    """Trains `game` on `source` in the folder of `run`, by `plan`. A run that was stopped goes on where it stood.

    What the plan leaves open comes from the game's own plan; `about` goes into run.json as it is. Raises Refusal if
    the game does not play on such data, if the folder holds another recipe's run, or if the losses are no longer
    finite; Interrupted, with all saved, after Ctrl-C or SIGTERM.
    """
    if not issubclass(source.holds, game.plays_on):
        raise Refusal(f"{game.name()} plays on {called(game.plays_on)}; {source.name} holds {source.holds.called}.")
    with joined() as team, heeded() as stop, run.locked() if team.leads else contextlib.nullcontext():
        training = Training(game, source, run, plan, screen or Silent(), about, team)
        stop.begin()
        training.play(stop)


class Training:
    """One run: the match, the averaged generator, the judges, and the times at which each has its turn."""

    def __init__(
        self,
        game: Game,
        source: Source,
        run: Run,
        plan: Plan,
        screen: Screen,
        about: dict | None = None,
        team: Team | None = None,
    ):
        self.source, self.run, self.screen, self.team = source, run, screen, team or Team()
        recipe = recipe_of(game, source, plan, team)
        if (run.path / "run.json").is_file() and run.info.get("recipe") != recipe:
            apart = "; ".join(differences(run.info, game, source, plan, team))
            raise Refusal(f"{run.path} holds a run of another recipe: {apart}. Name another --run.")
        self.plan = plan = complete(game, plan, team)
        self.machine = choose(plan)
        torch.set_flush_denormal(True)  # tiny moments of Adam are slow on a CPU
        introduce(game, source, self.team)
        total = self._total(game)
        self.match = Match(game, source, plan, self.machine, total, self.team)
        assert plan.average is not None
        live = game.generator()
        live.header = replace(live.header, recipe=recipe, data=source.name)
        self.average = Average(live, plan.average)
        self.log, self.grid, self.save, self.look = (
            plan.log or math.ceil(total / 200),
            plan.grid or math.ceil(total / 40),
            plan.save or math.ceil(total / (24 if plan.stop else 8)),
            max(LOOK, math.ceil(total / 40)),
        )
        if self.team.leads:
            self._write_info(game, recipe, total, about or {})
        self.reals = pictures(source) if self.team.leads else None
        shown = self.reals if isinstance(live, Samples) else None
        self.panel = judges(shown, plan, screen) if shown is not None else None
        self.vitals = watched(live, source, plan.seed) if self.team.leads else None
        self.match.effort.is_watched = self.vitals is not None
        self._began = self._saved = time.monotonic()
        self._before = 0.0  # seconds of play before this start, less those of scoring since
        self._is_over = False
        self._back = 0  # images at the checkpoint to which a roll-back goes

    def play(self, stop: Stop | None = None) -> None:
        """From where the run stands to the end of its clock, or until it is told to stop."""
        self._resume()
        clock = self.match.clock
        self.screen.start(clock.total, clock.images)
        with self.screen:
            if clock.images == 0:
                self._begin()
            while clock.images < clock.total and not self._is_over:
                self.play_round()
                if self.team.any(stop is not None and stop.asked) and clock.images < clock.total:
                    self._leave()
        if self.team.leads:
            early = {"stopped": clock.images} if self._is_over else {}
            self.run.write_info(self.run.info | {"finished": True} | early)

    def _leave(self) -> None:
        """Saves and raises Interrupted. Numbers that are not finite are left to the checkpoint before them."""
        if self.match.is_finite():
            self._checkpoint()
        images = f"{self.match.clock.images:,} images"
        raise Interrupted(f"Stopped after {images}; all is saved. {self._how_to_go_on()}")

    def _expect(self) -> None:
        """With `plan.stop`, the run is over as soon as no more progress is to be expected."""
        if self.plan.stop:
            expected = outlook(self.run.metrics())
            self._is_over = self.team.agree(expected.state in ("done", "stuck"))
            if self._is_over:
                self.screen.say(expected.text)

    def _begin(self) -> None:
        """What a run leaves behind before its first round; a checkpoint too, so that there is one to go back to."""
        if self.team.leads:
            self._draw_reals()
            self._draw_fakes()
        self._checkpoint()

    def play_round(self) -> None:
        """A round, the average's step, and what is then due. After steps that were not finite it goes back instead."""
        before = self.match.clock.images
        self.match.play_round()
        self.average.update(self.match.clock.rounds)
        if self.match.skipped_in_a_row >= SKIPS:
            self._roll_back()
        else:
            self._report(before)

    def _roll_back(self) -> None:
        """To the checkpoint of the last save, with half the rates. Raises Refusal when that has not helped.

        Not to the newest one, which time or a signal may have placed: the same run must come to the same end.
        """
        slower, skipped = self.match.slower / 2, self.match.skipped
        if slower < 0.5**ROLL_BACKS:
            raise Refusal(
                f"the numbers became infinite or NaN by image {self.match.clock.images:,}, {ROLL_BACKS} times, with "
                "ever lower rates; the run stops, and keeps what it saved before. Train with a lower --rate, or with "
                "--precision fp32."
            )
        self.screen.say(f"infinite or NaN at image {self.match.clock.images:,}: going back, with half the rates")
        if self.team.leads:
            checkpoint.forget_after(self.run.path / "state", self._back)
        self._resume()
        self.match.slower, self.match.skipped = slower, skipped

    def _report(self, before: int) -> None:
        """What is due when the clock went on from `before`: a line, a grid, a snapshot, a checkpoint."""
        now = self.match.clock.images

        def is_due(every: int) -> bool:
            return self._is_over or now >= self.match.clock.total or now // every > before // every

        self.screen.advance(now)
        if (is_due(self.log) or is_due(self.save)) and not self.match.is_finite():
            self._roll_back()
            return
        saves = is_due(self.save)
        if saves:
            if self.team.leads:
                self._snapshot()
            self._expect()
        if self.team.leads:
            self._write(is_due(self.log), is_due(self.grid), is_due(self.look))
        late = is_due(self.log) and self.team.agree(time.monotonic() - self._saved > CHECKPOINT_SECONDS)
        if saves or late:  # the log has just seen that all is finite
            self._back = now if saves else self._back
            self._checkpoint()

    def _write(self, log: bool, grid: bool, look: bool) -> None:
        if log:
            self._log()
        if grid:
            self._draw_fakes()
        if look and self.vitals is not None:
            self._look(self.vitals)

    def _log(self) -> None:
        notes = self.match.take_notes()
        clock = self.match.clock
        self.run.append("log.jsonl", {"images": clock.images, "rounds": clock.rounds, **notes})
        seconds = self.seconds
        done = {"images": clock.images, "seconds": round(seconds, 3), "rate": round(clock.images / seconds, 2)}
        self.run.append("times.jsonl", done)
        self.screen.note(notes)

    def _look(self, vitals: Vitals) -> None:
        """Measures the run's health on the live networks, at first the data's, and says what is new about it."""
        if not self.run.lines("vitals.jsonl"):
            self.run.append("vitals.jsonl", {"images": 0, "data": vitals.data()})
        live = settled(self.average.live, self.machine).eval()
        with self.machine.autocast():
            numbers = vitals.measure(live, self.match.clock.images)
        self.match.game.train()
        state = {"skipped": self.match.skipped, "slower": self.match.slower}
        self.run.append(
            "vitals.jsonl", {"images": self.match.clock.images, **numbers, **self.match.effort.take(), **state}
        )
        for finding in watch(self.run):
            if finding["severity"] != "note":
                self.screen.say(f"{finding['kind'].replace('_', ' ')}: {finding['says']} {finding['remedy']}")

    def _draw_reals(self) -> None:
        if self.reals is not None:
            save_png(grid(to_uint8(self._first(self.reals))), self.run.path / "reals.png")

    def _first(self, reals: Source) -> Tensor:
        """The first pictures that are drawn, [at most FACES, C, H, W]."""
        batch: Any = reals.batch(self.match.order.draw(0, min(FACES, len(self.source))) % len(reals))
        return batch.x

    def _draw_fakes(self) -> None:
        """What the averaged generator makes of fixed noise; or, of the first reals, from their codes."""
        if self.reals is None:
            return
        generator, images = settled(self.average.copy, self.machine), self.match.clock.images
        path, text = self.run.path / f"fakes-{images:09d}.png", {"images": str(images)}
        if isinstance(generator, Samples):
            save_png(generator.grid(FACES, seed=self.plan.seed), path, text)
        elif isinstance(generator, Encodes):
            with torch.inference_mode():
                again = generator(generator.encode(self._first(self.reals).to(self.machine.device)))
            save_png(grid(to_uint8(again)), path, text)

    def _snapshot(self) -> None:
        """Saves the averaged generator with its judge, scores it, and keeps the best and the last few."""
        images = self.match.clock.images
        path = self.run.snapshot(images)
        generator = settled(self.average.caught_up(), self.machine)
        generator.save(path, images)
        if self.panel is not None:
            begin = time.monotonic()
            with self.screen.busy("scoring"):
                scores = self.panel.score(generator.sample(self.panel.n, seed=self.plan.seed + 1))
            self._before -= time.monotonic() - begin
            self.run.append("metrics.jsonl", {"images": images, "snapshot": path.name, **scores})
            self.screen.score(scores)
        keep_best(self.run, path.name, self.plan.keep or 1)

    def _checkpoint(self) -> None:
        images, tensors = self.match.clock.images, self.match.tensors()
        if self.team.leads and not checkpoint.has(self.run.path / "state", images):
            self.run.flush()
            tensors |= {"average": self.average.copy.state_dict()}
            state = self.match.state() | {"seconds": self.seconds, "back": self._back}
            checkpoint.save(self.run.path / "state", images, tensors, state, spare=self._back)
        self._saved = time.monotonic()

    def _resume(self) -> None:
        """Goes back to the newest undamaged checkpoint, and drops what was written after it."""
        with self.team.lead_first():
            if self.team.leads:
                self.run.sweep()
            found, passed_over = checkpoint.newest(self.run.path / "state")
        for sentence in passed_over:
            self.screen.say(sentence)
        if self.team.leads:
            self.run.forget_after(int(found.path.name) if found else -1)
        if found is None:
            return
        state = found.state
        try:
            self.match.restore(state, found.tensors)
            self.average.copy.load_state_dict(found.tensors("average"))
        except (RuntimeError, KeyError, IndexError) as error:
            made = self.run.info["versions"].get("zerosum")
            raise Refusal(
                f"{found.path} was saved by other networks (zerosum {made}): {error}. Go on with that version, or "
                "begin anew with another --run."
            ) from error
        self._before, self._back = state["seconds"], state["back"]
        self._expect()
        self.screen.say(f"resumed {self.run.path} at {state['images']:,} images")

    @property
    def seconds(self) -> float:
        """Seconds of play since the run began, those before a stop included and those of scoring left out."""
        return self._before + time.monotonic() - self._began

    def _total(self, game: Game) -> int:
        """The run's length in images: as planned, as a stopped run has it, or as many as the minutes allow."""
        if self.team.agree((self.run.path / "run.json").is_file()):
            return self.run.info["total"]
        self.memory = fitting(game, self.source, self.plan, self.machine, self.team, self.screen)
        if self.plan.images is not None:
            return self.plan.images
        assert self.plan.minutes is not None
        begin = time.monotonic()
        with self.screen.busy("timing a few steps"):
            rate = trial(game, self.source, self.plan, self.machine, self.team, min(30.0, 2.4 * self.plan.minutes))
        batch = self.plan.batch or 1
        left = 60 * self.plan.minutes - (time.monotonic() - begin)  # the trial is part of the minutes
        total = self.team.agree(max(1, round(left * rate / batch)) * batch)
        if total < FEW:
            self.screen.say(
                f"{rate:.0f} images a second were timed, {total:,} in {self.plan.minutes:g} minutes: hardly a "
                "beginning. Give it more minutes, or begin anew when nothing else keeps the machine busy."
            )
        return total

    def _write_info(self, game: Game, recipe: str, total: int, about: dict) -> None:
        if (self.run.path / "run.json").is_file():
            return
        plan = asdict(self.plan) | {"log": self.log, "grid": self.grid, "save": self.save}
        data = {"name": self.source.name, "count": len(self.source), "fingerprint": self.source.fingerprint}
        self.run.write_info(
            {
                **told(game),
                "shape": asdict(self.source.shape),
                "data": data,
                "plan": plan,
                "total": total,
                "recipe": recipe,
                "arithmetic": self.machine.arithmetic,
                "memory": self.memory,
                "versions": versions(),
                "machine": describe(),
                "finished": False,
                **about,
            }
        )

    def _how_to_go_on(self) -> str:
        return f"Run the same command again to go on, or use what there is: zerosum sample {self.run.path}"
