"""`zerosum reduce`, with networks that were never trained: what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import csv, parquet

import zerosum as zs
from tests.conftest import Blobs
from zerosum import cli
from zerosum.cli import reduce
from zerosum.core.batch import DataShape
from zerosum.core.generator import load
from zerosum.core.pictures import from_uint8, to_uint8
from zerosum.core.plan import Plan
from zerosum.data.table import table
from zerosum.games import dcgan
from zerosum.games.ae import AE, Settings
from zerosum.report.film import pictures_in


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three reds and two blues."""
    for name, colour in (("red/a", 200), ("red/b", 220), ("red/c", 240), ("blue/d", 20), ("blue/e", 40)):
        path = tmp_path / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (colour, 30, 255 - colour)).save(path)
    return tmp_path / "photos"


def snapshot(path: Path, shape: DataShape, z: int = 3) -> Path:
    torch.manual_seed(0)
    AE(Settings(z=z, width=4), shape).generator().eval().save(path / "ae.safetensors", images=8)
    return path / "ae.safetensors"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return snapshot(tmp_path, DataShape(32, 32, 3))


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A table of 150 rows with four columns that vary and one of words."""
    values = np.random.default_rng(0).normal(3, 2, (150, 4))
    lines = [",".join([*map(str, row), "xyz"[i % 3]]) for i, row in enumerate(values)]
    (tmp_path / "wide.csv").write_text("\n".join(["a,b,c,d,kind", *lines]) + "\n", encoding="utf-8")
    return tmp_path / "wide.csv"


def test_pictures_become_codes(net: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "codes.parquet"
    assert cli.main(["reduce", str(net), str(photos), "-o", str(out), "--rebuilt", str(tmp_path / "again")]) == 0
    codes = parquet.read_table(out).to_pydict()
    assert list(codes) == ["file", "class", "z0", "z1", "z2", "error"]
    assert codes["file"] == ["blue/d.png", "blue/e.png", "red/a.png", "red/b.png", "red/c.png"]
    assert codes["class"] == ["blue", "blue", "red", "red", "red"]
    generator, x = load(net), torch.full((1, 3, 32, 32), 0.0)
    x[0, :] = torch.tensor([20, 30, 235])[:, None, None] / 127.5 - 1
    z = generator.encode(x)
    assert [codes[f"z{i}"][0] for i in range(3)] == pytest.approx(z[0].tolist(), abs=1e-5)
    assert codes["error"][0] == pytest.approx((generator(z) - x).square().mean().item(), rel=1e-4)
    assert len(list((tmp_path / "again").glob("*.png"))) == 5
    with Image.open(out.with_name(f"{out.stem}-map.png")) as drawing:
        assert len(drawing.convert("RGB").getcolors(1 << 24)) > 20
    printed = capsys.readouterr().out
    assert f"{out}: 5 pictures, 3 numbers each" in printed
    assert "of PCA with as many numbers" in printed
    assert "all pictures, seen in training or not" in printed


def test_json_names_the_unusual(net: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reduce", str(net), str(photos), "-o", str(tmp_path / "c.csv"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    errors = csv.read_csv(tmp_path / "c.csv").to_pydict()
    assert record["error"] == pytest.approx(np.mean(errors["error"]))
    assert record["unusual"][0]["name"] == errors["file"][int(np.argmax(errors["error"]))]
    assert [one["error"] for one in record["unusual"]] == sorted(errors["error"], reverse=True)
    assert 0 <= record["pca"] < 1e-6  # colours that differ along one line
    assert (record["length"], record["judged"], record["held_out"]) == (3, 5, False)


def test_a_table_needs_nothing_but_the_snapshot(wide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = table(wide)
    net, out = snapshot(tmp_path, rows.shape, z=2), tmp_path / "codes.csv"
    argv = ["reduce", str(net), str(wide), "-o", str(out), "--rebuilt", str(tmp_path / "again"), "--json"]
    assert cli.main(argv) == 0
    codes = csv.read_csv(out).to_pydict()
    assert list(codes) == ["row", "kind", "z0", "z1", "error"]
    assert codes["row"] == list(range(1, 151))
    assert codes["kind"][:4] == ["x", "y", "z", "x"]
    heldout = rows.heldout()
    assert heldout is not None
    record = json.loads(capsys.readouterr().out)
    assert (record["judged"], record["held_out"]) == (len(heldout), True)
    assert record["error"] == pytest.approx(np.mean([codes["error"][row] for row in heldout.rows]))
    again = csv.read_csv(tmp_path / "again" / "rebuilt.csv").to_pydict()
    generator = load(net)
    first = generator(generator.encode(rows.batch(np.arange(1)).x))[0, 0].item()
    column = rows.shape.columns[0]
    assert again["a"][rows.rows[0]] == pytest.approx(first * column.scale + column.mean, rel=1e-5)


def test_a_table_is_trained_on_and_reduced(wide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide.write_text(
        wide.read_text(encoding="utf-8").replace("\n", ",7\n").replace("kind,7", "kind,same"), encoding="utf-8"
    )
    run = tmp_path / "run"
    argv = [
        "train",
        "ae",
        str(wide),
        "--z",
        "2",
        "--width",
        "2",
        "--images",
        "128",
        "--run",
        str(run),
        "--device",
        "cpu",
    ]
    assert cli.main(argv) == 0
    out, err = capsys.readouterr()
    assert "column kind: it holds words, no numbers\ncolumn same: it is 7 in every row" in err
    assert "wide: 1" in err
    assert "; 4 columns" in err
    assert f"zerosum reduce {run} DATA" in out
    assert cli.main(["reduce", str(run), str(wide), "-o", str(tmp_path / "codes.csv")]) == 0
    assert csv.read_csv(tmp_path / "codes.csv").num_rows == 150


def test_a_run_that_does_not_sample_draws_the_first_reals_again(tmp_path: Path, blobs: Blobs) -> None:
    run = zs.train(
        "ae", blobs, images=16, settings={"z": 2, "width": 2}, plan=Plan(batch=8, score=0), run=tmp_path / "run"
    )
    generator, last = load(run.snapshots[-1]), run.grids[-1]
    with Image.open(run.path / "reals.png") as reals, Image.open(last) as drawn:
        assert reals.size == drawn.size
    x = from_uint8(pictures_in(run.path / "reals.png", 32, 32))
    made = to_uint8(generator(generator.encode(x)))
    np.testing.assert_allclose(pictures_in(last, 32, 32).astype(int), made.astype(int), atol=1)
    assert len(run.grids) > 1


@pytest.mark.parametrize(
    ("ours", "pca", "says"),
    [(0.08, 0.1, "20% less than"), (0.11, 0.1, "10% more than"), (0.66, 0.1, "6.6 times"), (0.1, 0.0, "beside")],
)
def test_the_error_beside_pcas_in_words(ours: float, pca: float, says: str) -> None:
    assert reduce._beside(ours, pca) == says


def test_refusals(net: Path, photos: Path, wide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def says(*argv: str) -> str:
        assert cli.main(["reduce", *argv]) == 1
        return capsys.readouterr().err

    assert "codes are saved as .parquet or .csv" in says(str(net), str(photos), "-o", "codes.txt")
    assert "no such label; did you mean 'class'?" in says(str(net), str(photos), "--label", "clas")
    assert "would become a picture to learn from" in says(str(net), str(photos), "-o", str(photos / "c.csv"))
    assert "is a table. Name a folder" in says(str(net), str(wide))
    assert "is the data itself" in says(str(net), str(wide), "-o", str(wide))
    of_rows = snapshot(tmp_path, table(wide).shape)
    assert "encodes the rows of a table" in says(str(of_rows), str(photos))
    maker = dcgan.DCGAN(dcgan.DCGAN.tiny, DataShape(32, 32, 3)).generator()
    maker.save(tmp_path / "dcgan.safetensors")
    assert "dcgan finds no codes" in says(str(tmp_path / "dcgan.safetensors"), str(photos))
