"""The inspection's sheet: what is on it, and that it grows and shrinks with what there is to show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zerosum.report.charts import to_png
from zerosum.report.inspection import COLUMNS, MOST_PAIRS, ROWS, WIDTH, Sheet, draw

PICTURE = np.full((8, 8, 3), 99, np.uint8)
SHEET = Sheet(
    title="photos $x_1$",
    subtitle="40 pictures",
    contact=[PICTURE] * 40,
    sizes=np.array([[30 + i, 40] for i in range(40)]),
    chosen=(32, 32),
    kinds={"PNG, RGB": 30, "JPEG, RGB": 10},
    labels={"kind": {f"kind {i}": 1 + i for i in range(12)}},
    pairs=[(PICTURE, PICTURE, ("a.png", "b.png"))] * 2,
    refused=[("damaged", 3)],
    advice=[("number", "Few. " * 60, None), ("resolution", "32 is best.", "zerosum train photos --resolution 32")],
    num_alike="2 copies of others",
)


def texts(sheet: Sheet) -> list[str]:
    figure = draw(sheet)
    return [text.get_text() for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]]


def test_the_sheet_shows_all_that_was_found():
    found = texts(SHEET)
    for text in (
        "photos $x_1$",
        "32 x 32",
        "Label: kind",
        "kind 11",
        "6 others",
        "damaged",
        "a.png",
        "2 copies of others",
    ):
        assert text in found
    assert "zerosum train photos --resolution 32" in found
    assert "kind 0" not in found  # among the others
    assert to_png(draw(SHEET)).startswith(b"\x89PNG")


def test_one_huge_picture_does_not_squeeze_the_chart_of_sizes():
    huge = replace(SHEET, sizes=np.concatenate([SHEET.sizes, [[3000, 2000]]]))
    assert "1 larger, up to 3000 x 2000, not shown" in texts(huge)
    chart = next(axes for axes in draw(huge).axes if any("larger" in text.get_text() for text in axes.texts))
    assert chart.get_xlim()[1] < 100
    assert not any("not shown" in text for text in texts(SHEET))


def test_the_sheet_is_as_high_as_it_needs_to_be():
    empty = replace(SHEET, contact=[], kinds={"PNG, RGB": 4}, labels={}, pairs=[], refused=[], advice=[],
                    sizes=np.full((4, 2), 64))  # fmt: skip
    heights = [draw(sheet).get_size_inches()[1] for sheet in (empty, replace(SHEET, pairs=[]), SHEET)]
    assert heights == sorted(heights)
    assert heights[0] < 2
    assert draw(empty).axes == []
    assert draw(SHEET).get_size_inches()[0] == WIDTH


def test_there_is_an_end_to_pictures_and_pairs():
    crowd = replace(SHEET, contact=[PICTURE] * 500, pairs=SHEET.pairs * 20)
    pictures = [axes for axes in draw(crowd).axes if axes.images]
    assert len(pictures) == COLUMNS * ROWS + 2 * MOST_PAIRS
