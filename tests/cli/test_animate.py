"""`zerosum animate`."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
from torch import nn

from tests.report.made_up import made_up_generator, made_up_run
from zerosum import cli
from zerosum.core import generator


def test_it_makes_strip_film_and_chart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_run(tmp_path)
    assert cli.main(["animate", str(tmp_path)]) == 0
    names = ["evolution.png", "training.mp4", "losses.png"]
    assert capsys.readouterr().out.split() == [str(tmp_path / name) for name in names]
    assert all((tmp_path / name).is_file() for name in names)


def test_it_films_a_walk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made_up_run(tmp_path)
    monkeypatch.setattr(generator, "load", lambda path: made_up_generator())
    out = tmp_path / "new" / "walk.mp4"
    assert (
        cli.main(["animate", str(tmp_path), "--walk", "3", "--seconds", "0.5", "--fps", "20", "-o", str(out), "--json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out)["walk"] == str(out)
    with av.open(str(out)) as container:
        assert len(list(container.decode(video=0))) == 10


def test_the_training_film_goes_where_it_should(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_run(tmp_path)
    assert cli.main(["animate", str(tmp_path), "-o", str(tmp_path / "a.gif"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["training"], record["walk"]) == (str(tmp_path / "a.gif"), None)
    assert (tmp_path / "a.gif").read_bytes()[:3] == b"GIF"


def test_it_refuses_an_empty_run_and_an_unknown_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up_run(tmp_path / "empty", empty=True)
    assert cli.main(["animate", str(tmp_path / "empty")]) == 1
    assert "no grids" in capsys.readouterr().err
    assert cli.main(["animate", str(tmp_path / "empty"), "--walk", "8"]) == 1
    assert "no snapshot" in capsys.readouterr().err
    made_up_run(tmp_path / "run")
    for wrong, says in (
        (["-o", "film.avi"], ".mp4, .gif or .webp"),
        (["--faces", "0"], "a strip of 0 faces"),
        (["--every", "-5"], "a column each -5 images"),
    ):
        assert cli.main(["animate", str(tmp_path / "run"), *wrong]) == 1
        assert says in capsys.readouterr().err


def test_it_draws_what_the_judge_looks_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_run(tmp_path)
    judge = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1))
    monkeypatch.setattr(generator, "load", lambda path: made_up_generator(judge))
    assert cli.main(["animate", str(tmp_path), "--looks", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["looks"] == str(tmp_path / "looks.png")
    monkeypatch.setattr(generator, "load", lambda path: made_up_generator())
    assert cli.main(["animate", str(tmp_path), "--looks"]) == 1
    assert "paint holds no judge" in capsys.readouterr().err


def test_a_tables_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = made_up_run(tmp_path)
    run.write_info(run.info | {"shape": {"height": 1, "width": 8, "channels": 1, "attributes": [], "columns": []}})
    assert cli.main(["animate", str(tmp_path), "--walk", "8"]) == 1
    assert "no pictures to animate" in capsys.readouterr().err
