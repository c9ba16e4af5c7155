"""The charts: what is drawn, what is left out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.made_up import made_up_run
from zerosum.core.errors import Refusal
from zerosum.report import charts


def test_the_charts_are_written(tmp_path: Path) -> None:
    run = made_up_run(tmp_path)
    for path, name in ((charts.loss_chart(run), "losses.png"), (charts.score_chart(run), "scores.png")):
        assert path == tmp_path / name
        with Image.open(path) as picture:
            assert picture.width == round(10.2 * charts.DPI)
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_players_stand_together_and_other_notes_apart(tmp_path: Path) -> None:
    figure = charts.draw_losses(made_up_run(tmp_path).log())
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Losses", "wasserstein"]  # the rate never changes
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["D on real", "D on fakes", "G"]


def test_many_notes_are_cut_and_other_players_take_the_first_panel() -> None:
    log = [{"images": i, "rounds": i, **{f"note{k}": i * k for k in range(1, 12)}} for i in range(20)]
    assert len(charts.draw_losses(log).axes) == 1
    log = [{**line, "G": line["images"]} for line in log]
    assert len(charts.draw_losses(log, charts.DARK, columns=1).axes) == 1 + charts.MAX_PANELS


def test_a_log_of_nothing_finite_is_drawn_all_the_same() -> None:
    figure = charts.draw_losses([{"images": i, "rounds": i, "G": float("nan"), "D_real": None} for i in range(3)])
    assert charts.to_png(figure).startswith(b"\x89PNG")


def test_smoothing_keeps_constants_passes_over_nan_and_keeps_the_length() -> None:
    y = np.full(50, 3.0)
    y[[0, 20, 49]] = np.nan
    np.testing.assert_allclose(charts.smoothed(y, 2.0), 3.0)
    line = np.arange(50.0)
    np.testing.assert_allclose(charts.smoothed(line, 2.0)[10:-10], line[10:-10])
    assert len(charts.smoothed(line[:3], 5.0)) == 3


def test_scores_that_some_line_holds_are_named() -> None:
    lines = [{"images": 10, "coverage": {"value": 0.5, "ceiling": 0.9, "pca_gaussian": 0.2}}]
    assert charts.score_names([{"images": 1, "n": 3, "verdict": {"ratio": 2}, "fid": {"value": 1}, **lines[0]}]) == [
        "coverage",
        "fid",
    ]


@pytest.mark.parametrize("columns", [3, 1])
@pytest.mark.parametrize("num", [1, 2, 3, 40])
def test_every_line_lies_in_its_panel_and_the_names_beside_all_of_them(num: int, columns: int) -> None:
    """After a short run coverage is near 0 and its rivals near 1; a KID may lie a hundred times above its floor."""
    lines = [
        {
            "images": 16 * i,
            "kid": {"value": 5 / i, "low": 4 / i, "high": 6 / i, "floor": 0.01, "pca_gaussian": 5.5},
            "coverage": {"value": 0.002 * i, "ceiling": 0.97, "pca_gaussian": 0.714},
        }
        for i in range(1, num + 1)
    ]
    figure = charts.draw_scores(lines, columns=columns)
    figure.canvas.draw()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["this run", "PCA-Gaussian", "real pictures"]
    for axes, name in zip(figure.axes, ("kid", "coverage"), strict=True):
        low, high = axes.get_ylim()
        for value in lines[-1][name].values():
            assert low < value < high
        assert axes.get_xlim()[0] == 0
        assert not legend.get_window_extent().overlaps(axes.get_tightbbox())
        assert axes.get_window_extent().height > 0.1 * figure.bbox.height
    assert figure.bbox.containsy(figure.axes[-1].xaxis.label.get_window_extent().y0)


def test_a_score_of_nothing_finite_is_drawn_all_the_same() -> None:
    nan = float("nan")
    figure = charts.draw_scores([{"images": 0, "kid": {"value": nan, "floor": nan}}])
    assert charts.to_png(figure).startswith(b"\x89PNG")


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    run = made_up_run(tmp_path, empty=True)
    with pytest.raises(Refusal, match=r"log\.jsonl"):
        charts.loss_chart(run)
    with pytest.raises(Refusal, match=r"metrics\.jsonl"):
        charts.score_chart(run)
