"""`zerosum invert`, `directions` and `edit` on a small house whose networks have learnt nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import Blobs
from tests.latent.made_up import Distance, Styled
from zerosum import cli
from zerosum.core import generator
from zerosum.core.generator import load
from zerosum.core.pictures import save_png, to_pil
from zerosum.features import efficientnet, lpips
from zerosum.games import ae, dcgan
from zerosum.games.house import House, Settings
from zerosum.latent.sliders import Sliders


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for LPIPS and EfficientNet."""

    class Thumbnails:
        def features(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)

    monkeypatch.setattr(lpips, "load", lambda net, **more: Distance())
    monkeypatch.setattr(efficientnet, "load", lambda: Thumbnails())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A snapshot of a house that has met blobs."""
    torch.manual_seed(0)
    game = House(Settings(z=6, width=2), Blobs(1).shape)
    game.meet(Blobs(80))
    path = tmp_path / "run" / "g.safetensors"
    path.parent.mkdir()
    game.generator().settled().eval().save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """40 photographs of 48 x 40 pixels: of those in "bright", the upper half is lighter."""
    random = np.random.default_rng(0)
    for i in range(40):
        pixels = random.integers(0, 60, (5, 6, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
        pixels[:20] += 150 if i % 2 else 0
        path = tmp_path / "photos" / ("bright" if i % 2 else "dark") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_png(to_pil(pixels), path)
    return tmp_path / "photos"


def directions(run: Path, photos: Path) -> int:
    """The usual direction: from two folders."""
    sides = ["--with", str(photos / "bright"), "--without", str(photos / "dark")]
    return cli.main(["directions", str(run), *sides, "--name", "bright"])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_invert_draws_and_keeps_the_latents(run: Path, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [str(photos / "dark" / "0.png"), str(photos / "bright" / "1.png")]
    argv = ["invert", str(run), *pictures, "--steps", "3", "--others", "4"]
    assert cli.main([*argv, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["how"], record["space"], record["others"]) == ("hybrid", "z", 4)
    from safetensors import safe_open

    for name, found in zip(("0", "1"), record["pictures"], strict=True):
        assert Path(found["redrawn"]) == run.parent / "inverted" / f"{name}.png"
        assert Path(found["redrawn"]).is_file()
        assert {"psnr", "lpips", "seconds", "imagined", "says"} <= found.keys()
        with safe_open(found["latent"], "pt") as file:
            about = json.loads(file.metadata()["zerosum-latent"])
            assert (about["space"], about["how"], about["picture"]) == ("z", "hybrid", f"{name}.png")
            assert file.get_tensor("code").shape == (6,)
    assert len(list((run.parent / "inverted").glob("usual-*.json"))) == 1
    assert cli.main(argv) == 0
    printed = capsys.readouterr().out
    assert "dB, LPIPS" in printed
    assert "that it made itself" in printed


def test_invert_one_picture_by_a_name_without_a_verdict(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    argv = ["invert", str(run), str(photos / "dark" / "0.png"), "-o", str(out), "--how", "encoder", "--others", "0"]
    assert cli.main(argv) == 0
    assert out.is_file()
    assert out.with_suffix(".safetensors").is_file()
    assert "not compared" in capsys.readouterr().out


def test_directions_of_two_folders_then_an_edit(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert directions(run, photos) == 0
    printed = capsys.readouterr().out
    assert "1 direction; drawn in" in printed
    assert "rare: learnt from few" in printed
    assert run.with_name("directions.png").is_file()
    dark, out, history = photos / "dark" / "0.png", tmp_path / "new" / "out.png", tmp_path / "h.json"
    edit = ["edit", str(run), str(dark), "-o", str(out), "--steps", "2", "--history", str(history)]
    assert cli.main([*edit, "--set", "bright=+1"]) == 0
    assert "beware: bright: learnt from 20 pictures alone" in capsys.readouterr().out
    changed = pixels(out)
    assert cli.main([*edit, "--set", "bright=-0.5"]) == 0
    twice = pixels(out)
    assert cli.main([*edit, "--undo", "1"]) == 0
    assert (pixels(out) == changed).all()
    assert cli.main([*edit, "--redo", "1"]) == 0
    assert (pixels(out) == twice).all()
    capsys.readouterr()
    assert cli.main([*edit, "--state", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["edits"] == []
    with Image.open(dark) as whole:
        same = np.asarray(whole.resize((32, 32), Image.Resampling.LANCZOS, box=(4, 0, 44, 40), reducing_gap=3.0))
    assert (pixels(out) == same).all(), "the photo as it came, to the bit"
    assert not (changed == same).all()


def test_an_edit_goes_where_a_sign_is_missing_and_nowhere_along_a_lock(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert directions(run, photos) == 0
    assert cli.main(["directions", str(run), "--unnamed", "2"]) == 0
    sliders = Sliders.load(run.with_name("directions.safetensors"))
    assert list(sliders.by_name) == ["bright", "pca 1", "pca 2", "sefa 1", "sefa 2"]
    dark, history = photos / "dark" / "0.png", tmp_path / "h.json"
    edit = ["edit", str(run), str(dark), "-o", str(tmp_path / "o.png"), "--steps", "0", "--history", str(history)]
    assert cli.main([*edit, "--set", "bright=1"]) == 0
    from zerosum.latent.history import History

    known, bright = History.load(history), sliders["bright"]
    before, after = (bright.position(known.code(state)[None]).item() for state in (0, 1))
    assert after == pytest.approx(before + bright.stretch * (1 - before), abs=1e-4)
    assert cli.main([*edit, "--set", "bright=+1", "--lock", "pca_1"]) == 0
    known = History.load(history)
    change = known.code(2) - known.code(1)
    assert abs((change @ sliders["pca 1"].step).item()) < 1e-4 * change.norm().item()


def test_directions_from_labels_by_encoder_and_by_classifier(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["directions", str(run), str(photos), "--json"]
    assert cli.main([*argv, "-o", str(tmp_path / "a.safetensors")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [found["name"] for found in record["directions"]] == ["class:bright", "class:dark"]
    game = dcgan.DCGAN(dcgan.DCGAN.tiny, Blobs(1).shape).generator().eval()
    game.save(tmp_path / "dcgan.safetensors")
    out = str(tmp_path / "b.safetensors")
    assert cli.main(["directions", str(tmp_path / "dcgan.safetensors"), str(photos), "-o", out]) in (0, 1)
    said = capsys.readouterr()
    assert "directions" in said.out or "with and" in said.err, "made pictures of noise may all be told as one class"


def test_a_mask_keeps_the_rest_of_the_photo(run: Path, photos: Path, tmp_path: Path) -> None:
    assert directions(run, photos) == 0
    mask = np.zeros((40, 48, 3), np.uint8)
    mask[:, 24:] = 255
    save_png(to_pil(mask), tmp_path / "mask.png")
    dark = photos / "dark" / "0.png"
    edit = ["edit", str(run), str(dark), "--steps", "0", "--set", "bright=+3", "-o"]
    assert cli.main([*edit, str(tmp_path / "all.png")]) == 0
    assert cli.main([*edit, str(tmp_path / "half.png"), "--mask", str(tmp_path / "mask.png")]) == 0
    assert cli.main(["edit", str(run), str(dark), "--steps", "0", "-o", str(tmp_path / "none.png")]) == 0
    all_, half, none = (pixels(tmp_path / f"{name}.png") for name in ("all", "half", "none"))
    assert (half[:, :14] == none[:, :14]).all()
    assert (half[:, 18:] == all_[:, 18:]).all()
    assert (all_[:, :14] != none[:, :14]).any()


def test_refusals(run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def says(*argv: str) -> str:
        assert cli.main([*argv]) == 1
        return capsys.readouterr().err

    dark = str(photos / "dark" / "0.png")
    (tmp_path / "page.png").write_text("<!doctype html>", encoding="utf-8")
    assert "no such picture" in says("invert", str(run), str(tmp_path / "nowhere.png"))
    assert "page.png: " in says("invert", str(run), str(tmp_path / "page.png"))
    assert "2 pictures came. Name a folder" in says("invert", str(run), dark, dark, "-o", str(tmp_path / "x.png"))
    assert "is the picture itself" in says("invert", str(run), dark, "-o", dark)
    assert "no directions yet. Make some: zerosum directions" in says("edit", str(run), dark, "--set", "smile=+1")
    assert "wanted NAME=AMOUNT" in says("edit", str(run), dark, "--set", "smile")
    assert "need the file of --history" in says("edit", str(run), dark, "--undo", "1")
    assert "saved as .png" in says("edit", str(run), dark, "-o", "x.jpg")
    assert "wanted one of: DATA with labels" in says("directions", str(run))
    assert "needs --with DIR, --without DIR and --name NAME" in says("directions", str(run), "--name", "x")
    assert "have no labels" in says("directions", str(run), str(photos / "dark"))
    assert directions(run, photos) == 0
    torch.manual_seed(1)
    other = run.with_name("other.safetensors")
    House(Settings(z=6, width=2), Blobs(1).shape).generator().eval().save(other)
    assert "made with another snapshot" in says("edit", str(other), dark, "--set", "bright=+1")
    history = str(tmp_path / "h.json")
    assert cli.main(["edit", str(run), dark, "--steps", "0", "-o", str(tmp_path / "o.png"), "--history", history]) == 0
    bright = str(photos / "bright" / "1.png")
    assert "the history of another picture" in says("edit", str(run), bright, "--history", history)
    blind = dcgan.DCGAN(dcgan.DCGAN.tiny, Blobs(1).shape).generator().eval()
    blind.save(tmp_path / "dcgan.safetensors")
    assert "dcgan has no encoder" in says(
        "directions", str(tmp_path / "dcgan.safetensors"), str(photos), "--labels", "encoder"
    )
    assert "dcgan has no encoder" in says("invert", str(tmp_path / "dcgan.safetensors"), dark, "--how", "encoder")


@pytest.mark.parametrize("game", [dcgan.DCGAN, House, ae.AE])
def test_three_games_have_it_all(game: type, photos: Path, tmp_path: Path) -> None:
    """What samples or encodes is inverted, and edited along a direction of two folders or without names."""
    torch.manual_seed(0)
    path = tmp_path / "g.safetensors"
    played = game(game.tiny, Blobs(1).shape)  # type: ignore[attr-defined]
    played.meet(Blobs(80))
    played.generator().eval().save(path)
    dark, out = str(photos / "dark" / "0.png"), str(tmp_path / "o.png")
    assert cli.main(["invert", str(path), dark, "--steps", "2", "--others", "0", "-o", out]) == 0
    if game is ae.AE:
        sides = ["--with", str(photos / "bright"), "--without", str(photos / "dark")]
        assert cli.main(["directions", str(path), *sides, "--name", "slide"]) == 0
        name = "slide"
    else:
        assert cli.main(["directions", str(path), "--unnamed", "1"]) == 0
        name = "pca 1"
    assert cli.main(["edit", str(path), dark, "--set", f"{name}=+1", "--steps", "2", "-o", out]) == 0
    assert pixels(Path(out)).shape == (32, 32, 3)
    assert load(path).header.game


@pytest.mark.parametrize("space", ["w", "w+"])
def test_a_generator_with_styles_is_edited_there(
    space: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "load", lambda path: Styled(2))
    (tmp_path / "g.safetensors").write_bytes(b"weights")
    path, dark, out = str(tmp_path / "g.safetensors"), str(photos / "dark" / "0.png"), str(tmp_path / "o.png")
    assert cli.main(["directions", path, "--unnamed", "2"]) == 0
    steps = ["--space", space, "--steps", "20", "--json"]
    capsys.readouterr()
    assert cli.main(["invert", path, dark, *steps, "--others", "2", "-o", out]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["space"], record["others"]) == (space, 2)
    assert cli.main(["edit", path, dark, *steps, "--set", "sefa 1=+2", "--lock", "pca 1", "-o", out]) == 0
    assert pixels(Path(out)).shape == (8, 8, 3)
    sides = ["--with", str(photos / "bright"), "--without", str(photos / "dark"), "--name", "bright"]
    assert cli.main(["directions", path, *sides, "--json"]) in (0, 1)
    said = capsys.readouterr().out
    assert "bright" in said, "pictures of noise may all be told as one class; then it says so"
