"""The report: whole without anything from elsewhere, and honest about what is missing."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.made_up import made_up_generator, made_up_run, made_up_scores
from zerosum.core import catalog, generator
from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.files import save_json
from zerosum.core.run import Run
from zerosum.report import charts, page
from zerosum.report.film import latent_walk

VOID = {"meta", "link", "img", "source", "br"}


@pytest.fixture(autouse=True)
def quick_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coarse charts: a report draws ten of them."""
    monkeypatch.setattr(charts, "DPI", 30)


class Reader(HTMLParser):
    """Reads a page: its text, what it refers to, and whether every element is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.references: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "poster")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"] and data.strip():
            self.text.append(data.strip())


def read(run: Run) -> tuple[Reader, str]:
    path = page.write_report(run)
    assert path == run.path / "report.html"
    return Reader(path.read_text(encoding="utf-8")), path.read_text(encoding="utf-8")


def test_the_report_holds_all_it_shows(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "00003-dcgan-blobs")
    (run.path / "best.safetensors").touch()  # damaged: the newest grid takes its place
    reader, html = read(run)
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert all(reference.startswith("data:") for reference in reader.references)
    kinds = {reference.partition(";")[0] for reference in reader.references}
    assert {"data:image/png", "data:image/jpeg", "data:video/mp4"} <= kinds
    reals = base64.b64encode((run.path / "reals.png").read_bytes()).decode()
    assert f"data:image/png;base64,{reals}" in reader.references
    for file in ("evolution.png", "training.mp4", "losses.png", "scores.png"):
        assert (run.path / file).is_file()
    text = " ".join(reader.text)
    for wanted in ("dcgan on blobs", "2,560", "4.0", "0123456789abcdef", "and <still> learning", "64, 32"):
        assert wanted in text
    assert f"zerosum sample {run.path}" in text
    assert "zerosum train dcgan 'my photos' --minutes 30" in text
    assert "Not finished" not in text
    assert " yet" not in text.replace("No walk yet", "")


def test_an_empty_run_has_a_report_that_says_so(tmp_path: Path) -> None:
    run = made_up_run(tmp_path, finished=False, empty=True)
    reader, _ = read(run)
    text = " ".join(reader.text)
    for wanted in ("Not finished", "0 % of 2,560 images", "No verdict yet", "No pictures yet", "Not scored yet",
                   "Nothing to see yet", "No film yet", "The log is empty", "No scores so far"):  # fmt: skip
        assert wanted in text
    assert reader.references == ["data:,"]
    assert [path.name for path in run.path.iterdir() if path.suffix != ".json"] == ["report.html"]


@pytest.mark.parametrize("missing", [("reals.png", "log.jsonl"), ("times.jsonl", "metrics.jsonl"), ("fakes-*.png",)])
def test_any_part_may_be_missing(tmp_path: Path, missing: tuple[str, ...]) -> None:
    run = made_up_run(tmp_path, finished=False)
    for pattern in missing:
        for path in tmp_path.glob(pattern):
            path.unlink()
    read(run)


def test_a_bare_run_json_is_enough(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_info({"game": "dcgan"})
    read(run)
    run.path.joinpath("run.json").write_text("{")
    with pytest.raises(Refusal, match="cannot be read"):
        page.write_report(run)


def test_names_are_escaped(tmp_path: Path) -> None:
    _, html = read(made_up_run(tmp_path, name="<script>alert(1)</script>"))
    assert "<script" not in html


def test_the_best_snapshot_draws_where_it_can_be_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_up_run(tmp_path)
    (tmp_path / "best.safetensors").touch()
    assert page._samples(run, page.played(run)) == (
        page._picture_file(run.grids[-1]),
        2560,
    )  # damaged: the newest grid instead
    monkeypatch.setattr(generator, "load", lambda path: made_up_generator())
    picture, images = page._samples(run, page.played(run))
    assert images == 2560
    assert picture == page._picture(made_up_generator().grid(36))


def test_a_large_film_stays_beside_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_INLINE", 100)
    reader, _ = read(made_up_run(tmp_path))
    assert "training.mp4" in reader.references


def test_what_the_discriminator_looks_at_is_shown_where_it_was_drawn(tmp_path: Path) -> None:
    run = made_up_run(tmp_path)
    assert "discriminator looks at" not in page.write_report(run).read_text(encoding="utf-8")
    (tmp_path / "looks.png").write_bytes((tmp_path / "reals.png").read_bytes())
    assert "discriminator looks at" in page.write_report(run).read_text(encoding="utf-8")


def test_a_walk_is_shown_and_a_damaged_one_does_no_harm(tmp_path: Path) -> None:
    run = made_up_run(tmp_path, empty=True)
    latent_walk(made_up_generator(), tmp_path / "walk.mp4", seconds=0.2)
    reader, _ = read(run)
    assert [reference.partition(";")[0] for reference in reader.references[1:]] == ["data:image/jpeg", "data:video/mp4"]
    (tmp_path / "walk.mp4").write_bytes(b"no film")
    reader, _ = read(run)
    assert len(reader.references) == 2


def test_the_better_score_is_marked() -> None:
    rows = page.scores(
        {
            "images": 1,
            "kid": {"value": 0.03, "low": 0.02, "high": 0.04, "floor": 0.001, "pca_gaussian": 0.05},
            "kid_random": {"value": 0.06, "floor": 0.001, "pca_gaussian": 0.05},
            "coverage": {"value": 0.6, "ceiling": 0.97, "pca_gaussian": 0.7},
            "fid": {"value": 12.345},
        }
    )
    assert [(row.value, row.limit, row.gaussian, row.better) for row in rows] == [
        ("0.0300", "0.00100", "0.0500", "run"),
        ("0.0600", "0.00100", "0.0500", "gaussian"),
        ("0.600", "0.970", "0.700", "gaussian"),
        ("12.3", "–", "–", ""),
    ]
    assert rows[0].interval == "0.0200 to 0.0400"
    assert rows[1].interval == ""


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("zerosum train dcgan a --minutes 4", "zerosum train dcgan a --minutes 8"),
        ("zerosum train --minutes=0.5 'a b'", "zerosum train --minutes 1 'a b'"),
        ("zerosum train a --images 5000 --seed 1", "zerosum train a --images 10000 --seed 1"),
        ("zerosum train a --run x --runs r", "zerosum train a --runs r --minutes 30"),
        ("zerosum train --run=x a --images 5", "zerosum train a --images 10"),
        ("zerosum train a", "zerosum train a --minutes 30"),
        (
            "torchrun --nproc-per-node 2 -m -- zerosum train a --images 5 --run x",
            "torchrun --nproc-per-node 2 -m -- zerosum train a --images 10",
        ),
        ("zerosum train a --minutes", "zerosum train a --minutes 30"),
    ],
)
def test_the_next_run_is_twice_as_long(command: str, wanted: str) -> None:
    assert page.longer(command) == wanted


@pytest.mark.parametrize("budget", ["--minutes 4", "--images=600", "--images 600 --run x"])
def test_after_a_short_run_the_next_takes_half_an_hour(budget: str) -> None:
    assert page.longer(f"zerosum train dcgan a {budget} --seed 1", seconds=20) == (
        "zerosum train dcgan a --seed 1 --minutes 30"
    )


def test_an_unfinished_run_goes_on_by_the_same_command(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "my runs", finished=False)
    assert len(page.next_commands(run)) == 1, "without a snapshot there is nothing to sample, score or film"
    run.snapshot(640).touch()
    commands = [command for _, command in page.next_commands(run)]
    assert commands[0] == run.info["command"]
    assert all(f"'{run.path}'" in command for command in commands[1:])
    assert commands[2].endswith("--n 2000"), "its own scores took 500"
    run.append("metrics.jsonl", {"images": 2560, "n": 2000, **made_up_scores(0.02)})
    assert page.next_commands(run)[2][1].endswith("--n 4000")


def test_the_mark_of_the_better_score_says_whose_it_is(tmp_path: Path) -> None:
    run = made_up_run(tmp_path / "run")
    run.append("metrics.jsonl", {"images": 2560, "n": 500, **made_up_scores(9.0)})
    html = page.write_report(run).read_text(encoding="utf-8")
    assert 'aria-label="PCA-Gaussian is better"' in html


def test_the_report_tells_of_the_runs_health(tmp_path: Path) -> None:
    html = page.write_report(made_up_run(tmp_path / "run")).read_text(encoding="utf-8")
    assert "mode collapse" in html
    assert "--gamma 10" in html
    assert html.count("<polyline points=") == 2
    assert "83 % of pairs" in html


def test_an_autoencoders_report_speaks_of_codes_and_of_one_player(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = DataShape(16, 16)
    coder = catalog.game("ae")(catalog.game("ae").tiny, shape).generator().eval()
    monkeypatch.setattr(generator, "load", lambda path: coder)
    run = made_up_run(tmp_path)
    (tmp_path / "best.safetensors").touch()
    run.write_info(run.info | {"parameters": {"AE": 10}})
    html = page.write_report(run).read_text(encoding="utf-8")
    for words in ("Made again from their codes", "always the same picture", "One player alone"):
        assert words in html
    for words in ("Two players", "the same noise", "<h2>Scores</h2>", "zerosum sample", "No walk yet"):
        assert words not in html
    assert page.what_comes_of(None) == "pictures"


def test_a_tables_report_speaks_of_rows_and_columns(tmp_path: Path) -> None:
    run = made_up_run(tmp_path)
    run.write_info(run.info | {"shape": {"height": 1, "width": 8, "channels": 1}})
    text = " ".join(read(run)[0].text)
    for words in ("rows drawn", "rows a second", "columns"):
        assert words in text
    for words in ("images drawn", "images a second", "pixels a picture"):
        assert words not in text.split("Scores")[0]


def test_a_poor_run_that_nothing_accuses_is_not_called_well(tmp_path: Path) -> None:
    run = made_up_run(tmp_path)
    save_json(run.path / "diagnosis.json", run.diagnosis() | {"findings": [], "well": "Poor as yet."})
    assert "Poor as yet." in read(run)[1]
