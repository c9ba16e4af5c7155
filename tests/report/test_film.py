"""Films and strips: their size, their number of frames, and that they show what they say."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from tests.report.made_up import GRIDS, made_up_generator, made_up_pictures, made_up_run
from zerosum.core.errors import Refusal
from zerosum.core.pictures import grid
from zerosum.report import film


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_film_has_its_frames_in_even_size_and_their_colours(tmp_path: Path) -> None:
    colours = [(200, 30, 40), (20, 160, 60), (40, 60, 220)]
    path = film.film([np.full((51, 33, 3), c, np.uint8) for c in colours], tmp_path / "a.mp4", fps=5)
    frames = frames_of(path)
    assert [frame.shape for frame in frames] == [(52, 34, 3)] * 3
    for frame, colour in zip(frames, colours, strict=True):
        assert np.abs(frame[25, 16].astype(int) - colour).max() <= 6


def test_a_film_plays_in_browsers(tmp_path: Path) -> None:
    path = film.film([np.zeros((32, 32), np.uint8)] * 2, tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "the index stands first: it plays while it loads"


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_loop_keeps_its_frames(tmp_path: Path, suffix: str) -> None:
    path = film.film([np.full((20, 30, 3), 60 * i, np.uint8) for i in range(4)], tmp_path / f"a{suffix}", fps=10)
    with Image.open(path) as loop:
        assert (loop.size, loop.n_frames, loop.info["loop"]) == ((30, 20), 4, 0)


def test_a_film_of_nothing_or_in_no_known_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="no frames"):
        film.film([], tmp_path / "a.mp4")
    with pytest.raises(Refusal, match=r"\.mp4, \.gif or \.webp"):
        film.film([np.zeros((4, 4), np.uint8)], tmp_path / "a.avi")
    with pytest.raises(Refusal, match="frame 1 has 6 x 4"):
        film.film([np.zeros((4, 4), np.uint8), np.zeros((4, 6), np.uint8)], tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir()), "nothing half made is left"


def test_the_training_film_shows_each_grid_and_holds_the_last(tmp_path: Path) -> None:
    run = made_up_run(tmp_path)
    frames = frames_of(film.training_film(run))
    with Image.open(run.grids[-1]) as picture:
        width, height = picture.size
    assert len(frames) == len(GRIDS) + 3
    assert frames[0].shape == (2 * height + film.CAPTION, 2 * width, 3)
    for i, path in enumerate(run.grids):
        wanted = np.asarray(Image.open(path).convert("RGB").resize((2 * width, 2 * height), 0)).astype(float)
        assert np.abs(frames[i][film.CAPTION :] - wanted).mean() < 8
    assert np.abs(frames[-1].astype(float) - frames[len(GRIDS) - 1]).mean() < 2


@pytest.mark.parametrize("size", [8, 28, 64, 200])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_out_of_a_grid(tmp_path: Path, size: int, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, size, size + 3, channels), dtype=np.uint8)
    grid(pixels).save(tmp_path / "grid.png")
    np.testing.assert_array_equal(film.pictures_in(tmp_path / "grid.png", size, size + 3), pixels)


def test_a_picture_that_is_no_grid_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (100, 101)).save(tmp_path / "odd.png")
    with pytest.raises(Refusal, match="100 x 101 pixels is no grid"):
        film.pictures_in(tmp_path / "odd.png", 16, 16)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_strip_shows_the_first_pictures_of_each_grid(tmp_path: Path, channels: int) -> None:
    run = made_up_run(tmp_path, channels=channels)
    with Image.open(film.evolution_strip(run, faces=3)) as picture:
        sheet = np.asarray(picture)
    scale, cell, title = 6, 96 + 2, 18
    assert sheet.shape == (title + 3 * cell + 2, 5 * cell + 2, 3)
    for column, path in enumerate(run.grids):
        with Image.open(path) as saved:
            first = np.asarray(saved.convert("RGB"))[2:98, 2:98]
        shown = sheet[title + 2 : title + 98, column * cell + 2 : column * cell + 98]
        np.testing.assert_array_equal(shown, first)
        if channels == 3:
            np.testing.assert_array_equal(shown[::scale, ::scale], made_up_pictures(column)[0])


def test_a_long_run_has_ten_columns_and_large_pictures_are_reduced(tmp_path: Path) -> None:
    run = made_up_run(tmp_path, empty=True)
    run.write_info({**run.info, "shape": {"height": 200, "width": 180, "channels": 3}})
    for i in range(37):
        grid(np.full((2, 200, 180, 3), 5 * i, np.uint8)).save(tmp_path / f"fakes-{64 * i:09d}.png")
    columns = film.evolution(run)
    assert [columns[0][0], columns[-1][0], len(columns)] == [0, 64 * 36, 10]
    assert columns[3][1].shape == (2, 100, 90, 3)
    assert columns[3][1].max() == columns[3][0] // 64 * 5


def test_a_strip_can_have_a_column_each_so_many_images(tmp_path: Path) -> None:
    run = made_up_run(tmp_path)  # grids at 0, 640, 1280, 1920, 2560
    assert [images for images, _ in film.evolution(run, every=1280)] == [0, 1280, 2560]
    assert [images for images, _ in film.evolution(run, every=1000)] == [0, 1280, 2560]
    assert [images for images, _ in film.evolution(run, every=1)] == list(GRIDS)
    assert film.evolution(run, faces=2, every=1280)[1][1].shape == (2, 16, 16, 3)
    for wrong in ({"faces": 0}, {"every": 0}):
        with pytest.raises(Refusal, match="at least 1 of both"):
            film.evolution(run, **wrong)


def test_a_run_without_grids_is_refused(tmp_path: Path) -> None:
    run = made_up_run(tmp_path, empty=True)
    for make in (film.evolution_strip, film.training_film, film.last_frame):
        with pytest.raises(Refusal, match="no grids"):
            make(run)


def test_slerp_meets_its_ends_and_keeps_the_length() -> None:
    a, b = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    a, b = (x / x.flatten(1).norm(dim=1)[:, None, None] for x in (a, b))
    torch.testing.assert_close(film.slerp(a, b, 0.0), a)
    torch.testing.assert_close(film.slerp(a, b, 1.0), b)
    torch.testing.assert_close(film.slerp(a, b, 0.3).flatten(1).norm(dim=1), torch.ones(5))
    torch.testing.assert_close(film.slerp(a, a, 0.5), a)
    half = film.slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    torch.testing.assert_close(half, torch.full((1, 2), 0.5**0.5))


def test_the_walk_is_a_closed_loop_of_small_steps(tmp_path: Path) -> None:
    generator = made_up_generator()
    first, again = (
        frames_of(film.latent_walk(generator, tmp_path / name, 3, seconds=2, seed=3, fps=10, num_pictures=2))
        for name in ("walk.mp4", "again.mp4")
    )
    assert len(first) == 20
    assert np.abs(first[7].astype(float) - again[7]).mean() < 0.1  # the encoder's threads may differ in a few pixels
    steps = [np.abs(a.astype(float) - b).mean() for a, b in zip(first, first[1:] + first[:1], strict=True)]
    assert 0 < steps[-1] < 2 * max(steps[:-1]), "from the last frame to the first is a step like any other"


def test_the_walk_refuses_what_cannot_be_walked(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="noise alone"):
        film.latent_walk(torch.nn.Identity(), tmp_path / "walk.mp4")
    for wrong in ({"seconds": 0}, {"keyframes": 1}, {"fps": 0}, {"fps": 61}):
        with pytest.raises(Refusal, match="wanted between"):
            film.latent_walk(made_up_generator(), tmp_path / "walk.mp4", **wrong)  # type: ignore[arg-type]


def test_the_way_passes_each_stop_and_ends_where_it_began() -> None:
    stops = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(0))
    for i, stop in enumerate(stops):
        torch.testing.assert_close(film.on_the_way(stops, i), stop)
    assert torch.equal(film.on_the_way(stops, 4.25), film.on_the_way(stops, 0.25))


def test_a_way_between_classes_mixes_them_by_shares() -> None:
    """A latent that ends in one-hot blocks keeps blocks of no negative number, whose largest is the nearer stop's."""
    z = torch.randn(2, 1, 64, generator=torch.Generator().manual_seed(0))
    stops = torch.cat([z, torch.eye(3)[[0, 2]][:, None]], dim=2)
    for place in (0.1, 0.5, 0.9):
        block = film.on_the_way(stops, place)[0, -3:]
        assert (block >= 0).all()
        assert block[1] == 0
        assert (block / block.sum())[2].item() == pytest.approx(place, abs=0.06)
