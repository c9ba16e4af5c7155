"""What is said of a run, from made-up numbers; and steps that are not finite."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import Blobs
from zerosum import api
from zerosum.bench import diagnose as battery
from zerosum.core import checkpoint
from zerosum.core.errors import Interrupted, Refusal
from zerosum.core.files import save_json
from zerosum.core.plan import Plan
from zerosum.core.run import Run
from zerosum.training import trainer
from zerosum.training.monitor import diagnose, diagnosis, standing, watch
from zerosum.training.record import Record
from zerosum.training.rules import RULES
from zerosum.training.screen import Silent

HEALTHY = {
    "judge": 0.85, "judge_unseen": 0.52, "gap": 0.02, "levels": [-0.9, -0.5, 0.1, 0.7, 0.9], "spread": 0.9,
    "levels_real": [-0.9, -0.6, 0.1, 0.7, 0.9], "twins": 0.0, "coverage": 0.6, "relatives": 1.1, "checkers": 1.2,
    "channels": -0.8, "moved": 0.2, "onward": 0.2, "waiting": 0.02, "step.D": 0.003,
    "step.G": 0.004, "turns.D": 30.0, "turns.G": 30.0, "skipped": 0, "slower": 1.0, "classes": [1.0, 0.8, 1.2],
    "told": 100.0,
}  # fmt: skip
DATA = {"num": 5000, "low": -1.0, "high": 1.0, "duplicates": 0.01}
INFO = {
    "game": "house", "config": {"rate": 4e-4, "z": 64}, "plan": {"batch": 32, "micro": 32}, "total": 40_000,
    "parameters": {"D": 10, "G": 10},
    "moves": ["D", "G"], "makes": ["G"], "data": {"name": "faces"}, "command": "zerosum train faces",
}  # fmt: skip


def record(data: dict[str, Any] | None = None, info: dict[str, Any] | None = None, **changes: Any) -> Record:
    """A run of 20 looks, healthy but for the changes."""
    looks = [{"images": 1000 * (i + 1), **HEALTHY, **changes} for i in range(20)]
    return Record(INFO | (info or {}), DATA | (data or {}), looks, [])


def first(found: Record) -> str | None:
    return next((finding.kind for finding in diagnose(found) if finding.severity != "note"), None)


def test_a_healthy_run_is_not_accused() -> None:
    assert diagnose(record()) == []


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("overflow", record(skipped=12, slower=0.5)),
        ("wrong_range", record(levels=[0.0, 0.2, 0.5, 0.8, 0.95])),
        ("wrong_range", record(data={"low": 0.0})),
        ("channels_swapped", record(channels=0.9)),
        ("generator_wins", record(**{"step.D": 0.0})),
        ("generator_wins", record(judge=0.5, coverage=0.1)),
        ("rate_too_high", record(**{"step.G": 0.3, "coverage": 0.05})),
        ("rate_too_low", record(**{"step.G": 4e-5, "step.D": 3e-5, "coverage": 0.05})),
        ("class_missing", record(classes=[1.4, 0.0, 1.1])),
        ("mode_collapse", record(spread=0.02, twins=1.0, coverage=0.02)),
        ("discriminator_wins", record(judge=1.0, coverage=0.05)),
        ("memorisation", record(relatives=0.1)),
        ("too_little_data", record(data={"num": 40})),
        ("duplicates", record(data={"duplicates": 0.7})),
        ("latent_too_small", record(data={"properties": 9.0}, info={"config": {"z": 5}})),
        ("discriminator_overfits", record(judge_unseen=0.9, gap=0.6)),
        ("oscillation", record(onward=-0.9, moved=0.7, coverage=0.4)),
        ("batch_too_small", record(info={"plan": {"batch": 2, "micro": 2}})),
        ("generator_wins", record(info={"moves": ["G"]})),
        ("overflow", record(finite=0.0)),
        ("machine_bound", record(waiting=0.6)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_named_first(kind: str, changed: Record) -> None:
    assert first(changed) == kind
    finding = next(finding for finding in diagnose(changed) if finding.kind == kind)
    assert finding.says
    assert finding.why
    assert finding.remedy


@pytest.mark.parametrize("properties", [9.0, 6.0, 1.0, None])
def test_a_latent_that_may_be_long_enough_is_not_accused(properties: float | None) -> None:
    assert diagnose(record(data={"properties": properties}, info={"config": {"z": 6}})) == []


def test_the_remedy_names_a_latent_that_is_ample() -> None:
    found = diagnose(record(data={"properties": 9.0}, info={"config": {"z": 2}}))[0]
    assert found.remedy == "zerosum train faces --z 32"


def test_it_says_when_it_began() -> None:
    looks = [{"images": 1000 * (i + 1), **HEALTHY, **({"spread": 0.05} if i >= 12 else {})} for i in range(20)]
    finding = diagnose(Record(INFO, DATA, looks, []))[0]
    assert (finding.kind, finding.since) == ("mode_collapse", 13_000)
    assert finding.evidence["spread"][-1] == 0.05


def test_coverage_that_was_there_and_is_gone() -> None:
    looks = [{"images": 1000 * (i + 1), **HEALTHY, "coverage": 0.6 if i < 12 else 0.05} for i in range(20)]
    assert first(Record(INFO, DATA, looks, [])) == "divergence"


def test_one_bad_look_accuses_nobody() -> None:
    looks = [
        {"images": 1000 * (i + 1), **HEALTHY, **({"spread": 0.05, "judge": 1.0} if i == 19 else {})} for i in range(20)
    ]
    assert diagnose(Record(INFO, DATA, looks, [])) == []


def alike_from(look: int, total: int = 40_000) -> Record:
    """A run of 20 looks whose pictures are all alike from one of them on."""
    looks = [{"images": 500 * (i + 1), **HEALTHY, **({"spread": 0.05} if i >= look else {})} for i in range(20)]
    return Record(INFO | {"total": total}, DATA, looks, [])


def test_a_collapse_of_what_was_varied_is_said_at_the_third_look() -> None:
    """Within 2,000 images, however young the run is and however long it will go on."""
    assert first(alike_from(19)) is None
    assert first(alike_from(18)) == "mode_collapse"
    assert standing(alike_from(18)) == set()
    assert standing(alike_from(17)) == {"mode_collapse"}


def test_a_run_says_what_stands_and_says_it_once(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    run.path.mkdir()
    save_json(run.path / "run.json", INFO)
    told = []
    for looks in (19, 20, 20):
        lines = [{"data": DATA}, *alike_from(18).looks[:looks]]
        (run.path / "vitals.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        told.append([finding["kind"] for finding in watch(run)])
    assert told == [[], [], []]
    lines.append({"images": 10_500, **HEALTHY, "spread": 0.05})
    (run.path / "vitals.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert [finding["kind"] for finding in watch(run)] == ["mode_collapse"]
    assert watch(run) == []
    assert [line["kind"] for line in run.findings()] == ["mode_collapse"]


def test_an_accusation_on_the_way_counts_though_the_end_is_fine() -> None:
    looks = [{"images": 500 * (i + 1), **HEALTHY, **({"spread": 0.05} if 12 <= i < 16 else {})} for i in range(30)]
    entry = {"case": ["judged", "plain", "house", "x", 0], "info": INFO, "data": DATA, "looks": looks}
    assert battery.accused_live(entry)
    assert battery.first_accusation(entry) is None


def test_nonsense_is_no_collapse() -> None:
    looks = [{"images": 1000 * (i + 1), **(HEALTHY if i < 12 else {"finite": 0.0})} for i in range(20)]
    assert [finding.kind for finding in diagnose(Record(INFO, DATA, looks, []))] == ["overflow"]


def test_a_beginner_whose_pictures_never_differed_is_left_in_peace() -> None:
    looks = [{"images": 500 * (i + 1), **HEALTHY, "spread": 0.1, "coverage": 0.1} for i in range(9)]
    assert first(Record(INFO, DATA, looks, [])) is None


def test_a_class_may_come_late_and_a_few_pictures_are_no_witness() -> None:
    missing = record(classes=[1.4, 0.0, 1.1])
    assert first(missing) == "class_missing"
    assert first(missing.before()) is None, "19,000 images"
    assert first(record(classes=[1.4, 0.0, 1.1], told=20.0)) is None


def test_steps_about_one_place_are_no_oscillation() -> None:
    """Two steps in a row between chance places about one have a cosine of -0.5."""
    assert first(record(onward=-0.7, moved=0.7, coverage=0.4)) is None


def test_blurs_that_cover_much_are_no_collapse() -> None:
    assert first(record(spread=0.2, coverage=0.85)) is None
    assert first(record(spread=0.2, coverage=0.3)) == "mode_collapse"


def test_few_looks_and_missing_numbers_raise_nothing() -> None:
    for looks in ([], [{"images": 500}], [{"images": 500, "finite": 0.0}], [{"images": 500, **HEALTHY}]):
        for rule in RULES:
            rule(Record(INFO, DATA, looks, []))


def test_the_recorded_battery_is_judged_as_the_results_say() -> None:
    """The rules as they now are, on the recorded runs, give what bench/results/diagnose.json claims."""
    claimed = json.loads((Path(__file__).parents[2] / "bench/results/diagnose.json").read_text(encoding="utf-8"))
    values = {measure["name"]: measure["values"][0] for measure in claimed["measures"]}
    found = {measure.name: measure.values[0] for measure in battery.bench("full", (0,))}
    assert found == pytest.approx(values)


# --------------------------------------------------------------------------------------- steps that are not finite

PLAN = Plan(images=400, batch=4, save=40, log=20, score=0)


def faulty(when: Any) -> tuple[Any, Blobs]:
    """A small dcgan whose generator's loss is infinite when `when(clock)` says so."""
    source = Blobs(20)
    game = api.build("dcgan", source, {"width": 2, "z": 4}, seed=0)
    D, G = game.turns()

    def loss(batch: Any, clock: Any) -> Any:
        value, notes = G.loss(batch, clock)
        return value * (torch.inf if when(clock) else 1), notes

    game.turns = lambda: [D, replace(G, loss=loss)]
    return game, source


def finite(run: Run) -> bool:
    return all(t.isfinite().all() for path in run.snapshots for t in load_file(path).values() if t.is_floating_point())


def test_a_stage_that_has_not_come_is_no_frozen_player() -> None:
    looks = [{"images": 1000 * (i + 1), **HEALTHY} for i in range(20)]
    for look in looks:
        del look["turns.G"], look["step.G"]
    assert diagnose(Record(INFO, DATA, looks, [])) == []


def test_what_is_said_is_valid_json() -> None:
    looks = [{"images": 1000 * (i + 1), **HEALTHY} for i in range(20)]
    for look in looks[:10]:
        del look["waiting"]
    for look in looks[10:]:
        look["waiting"] = 0.9
    json.dumps(diagnosis(Record(INFO, DATA, looks, [])), allow_nan=False)


def test_a_step_that_is_not_finite_is_skipped(tmp_path: Path) -> None:
    game, source = faulty(lambda clock: clock.images == 200)
    run = Run(tmp_path / "run")
    trainer.train(game, source, run, PLAN)
    assert run.is_finished
    assert finite(run)
    assert all(torch.isfinite(torch.tensor(line["G"])) for line in run.log())
    assert run.lines("vitals.jsonl")[-1]["skipped"] == 1


def test_after_several_it_goes_back_with_a_lower_rate_and_ends(tmp_path: Path) -> None:
    left = [12]

    def when(clock: Any) -> bool:
        left[0] -= clock.images > 200
        return clock.images > 200 and left[0] > 0

    game, source = faulty(when)
    run = Run(tmp_path / "run")
    training = trainer.Training(game, source, run, PLAN, Silent())
    training.play()
    assert run.is_finished
    assert 0.5**3 <= training.match.slower < 1
    assert finite(run)


def test_three_times_and_it_stops_with_the_reason(tmp_path: Path) -> None:
    game, source = faulty(lambda clock: clock.images > 200)
    run = Run(tmp_path / "run")
    with pytest.raises(Refusal, match="3 times, with ever lower rates"):
        trainer.train(game, source, run, PLAN)
    assert not run.is_finished
    assert finite(run)
    assert run.snapshots


class AfterImages:
    """Asks a run to stop once so many images are drawn."""

    def __init__(self, training: trainer.Training, images: int):
        self.training, self.images = training, images

    @property
    def asked(self) -> bool:
        return self.training.match.clock.images >= self.images


def end_of(run: Run) -> dict[str, str]:
    found, _ = checkpoint.newest(run.path / "state")
    assert found is not None
    return {name: found.hashes[f"{name}.safetensors"] for name in ("game", "optimizers", "average")}


@pytest.mark.parametrize("stop_at", [180, 216, 236])
def test_stopped_amid_nonsense_it_comes_to_the_same_end(tmp_path: Path, stop_at: int) -> None:
    """From image 200 on, every step of G is infinite until the rates have been halved once."""

    def fresh(folder: Path) -> trainer.Training:
        game, source = faulty(lambda clock: False)
        D, G = game.turns()[0], game.turns()[1]
        training: list[trainer.Training] = []

        def loss(batch: Any, clock: Any) -> Any:
            value, notes = G.loss(batch, clock)
            bad = clock.images > 200 and training and training[0].match.slower == 1  # none yet: its memory is weighed
            return value * (torch.inf if bad else 1), notes

        game.turns = lambda: [D, replace(G, loss=loss)]
        training.append(trainer.Training(game, source, Run(folder), PLAN, Silent()))
        return training[0]

    fresh(tmp_path / "whole").play()
    halves = fresh(tmp_path / "halves")
    with pytest.raises(Interrupted):
        halves.play(AfterImages(halves, stop_at))  # type: ignore[arg-type]
    fresh(tmp_path / "halves").play()
    assert end_of(Run(tmp_path / "whole")) == end_of(Run(tmp_path / "halves"))


def test_stopped_with_buffers_that_are_not_finite_the_checkpoint_before_stands(tmp_path: Path) -> None:
    game, source = faulty(lambda clock: False)
    run = Run(tmp_path / "run")
    training = trainer.Training(game, source, run, PLAN, Silent())

    class Poison(AfterImages):
        @property
        def asked(self) -> bool:
            if super().asked:
                next(b for b in training.match.game.buffers() if b.is_floating_point()).fill_(torch.nan)
            return super().asked

    with pytest.raises(Interrupted):
        training.play(Poison(training, 100))  # type: ignore[arg-type]
    found, _ = checkpoint.newest(run.path / "state")
    assert found is not None
    assert all(t.isfinite().all() for t in found.tensors("game").values() if t.is_floating_point())
    game, source = faulty(lambda clock: False)
    trainer.train(game, source, run, PLAN)
    assert run.is_finished


@pytest.mark.parametrize(
    ("restraint", "config", "advised"),
    [
        ("gamma", {"gamma": 2.0}, "zerosum train faces --gamma 10"),
        ("levers.r1", {"levers": {"r1": 0.0}}, "zerosum train faces --levers.r1 2"),
        (None, {}, "zerosum train faces --rate 0.00012"),
    ],
)
def test_the_remedy_for_a_winning_discriminator_is_the_games_own(restraint: Any, config: dict, advised: str) -> None:
    run = record({}, {"restraint": restraint, "config": INFO["config"] | config}, judge=1.0, coverage=0.05, spread=0.4)
    assert diagnose(run)[0].kind == "discriminator_wins"
    assert diagnose(run)[0].remedy == advised
