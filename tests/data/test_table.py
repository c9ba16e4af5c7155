"""Tables: what is taken, what is passed over, and the same units again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from zerosum.core.batch import Column, DataShape, Images, TableShape
from zerosum.core.errors import Refusal
from zerosum.core.generator import Header
from zerosum.data.catalog import is_table, open_source, refuse_a_look, refuse_other, refuse_unknown
from zerosum.data.table import standardised, table


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    return written(
        tmp_path / "zoo.csv",
        "height,name,legs,age,born,weight,tame",
        "1,emu,2,,2020-01-01,10,true",
        "3,ibex,2,,2021-01-01,,false",
        "5,yak,2,4,2022-01-01,40,true",
    )


def test_numeric_columns_are_standardised(zoo: Path) -> None:
    rows = table(zoo)
    assert [column.name for column in rows.shape.columns] == ["height", "weight", "tame"]
    height = rows.shape.columns[0]
    assert (height.mean, height.scale) == pytest.approx((3, np.sqrt(8 / 3)))
    x = rows.batch(np.array([2, 0])).x.numpy()
    assert x.shape == (2, 3)
    assert x[:, 0] == pytest.approx([2 / height.scale, -2 / height.scale])
    assert rows.shape.height == rows.shape.channels == 1


def test_what_is_passed_over_or_filled_in_is_named(zoo: Path) -> None:
    rows = table(zoo)
    assert dict(rows.refused) == {
        "name": "it holds words, no numbers",
        "born": "it holds dates or times, no numbers",
        "legs": "it is 2 in every row",
        "age": "2 of 3 values are missing",
        "weight": "1 of 3 values are missing: taken as the column's mean",
    }
    assert rows.batch(np.array([1])).x[0, 1] == 0
    assert rows.words["name"] == ["emu", "ibex", "yak"]


def test_original_units_come_back() -> None:
    columns = [Column("a", 10.0, 2.0), Column("b", -1.0, 0.5)]
    raw = np.array([[12.0, -1.5], [6.0, 0.0]])
    z = standardised(raw, columns)
    assert z == pytest.approx(np.array([[1, -1], [-2, 2]]))
    assert TableShape.of(tuple(columns)).in_units(z) == pytest.approx(raw)


def test_parquet_semicolons_and_tabs_hold_the_same(tmp_path: Path) -> None:
    semicolons = table(written(tmp_path / "a.csv", "x;y", "1;2.5", "3;4"))
    tabs = table(written(tmp_path / "a.tsv", "\ufeffx\ty", "1\t2.5", "3\t4"))
    parquet.write_table(pa.table({"x": [1, 3], "y": [2.5, 4.0]}), tmp_path / "a.parquet")
    assert semicolons.fingerprint == tabs.fingerprint == table(tmp_path / "a.parquet").fingerprint
    assert table(written(tmp_path / "b.csv", "x,y", "1,2.5", "3,5")).fingerprint != tabs.fingerprint


def test_a_tenth_is_held_out_and_counts_in_no_mean(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    rows = table(written(tmp_path / "many.csv", "v", *map(str, values), str(values[0])))
    heldout = rows.heldout()
    assert heldout is not None
    assert 20 < len(heldout) < 65
    assert len(rows) + len(heldout) == 401
    assert sorted([*rows.rows, *heldout.rows]) == list(range(401))
    assert (0 in rows.rows) == (400 in rows.rows), "copies fall on the same side"
    x = rows.batch(np.arange(len(rows))).x
    assert float(x.mean()) == pytest.approx(0, abs=1e-6)
    assert float(x.std(correction=0)) == pytest.approx(1, abs=1e-6)
    assert heldout.fingerprint != rows.fingerprint
    assert table(written(tmp_path / "few.csv", "v", "1", "2")).heldout() is None


def test_another_table_is_seen_as_the_first_was(tmp_path: Path) -> None:
    columns = (Column("b", 1.0, 2.0), Column("a", 0.0, 1.0))
    rows = table(written(tmp_path / "new.csv", "a,extra,b", "3,9,5", "3,9,1"), columns)
    assert rows.batch(np.arange(2)).x.tolist() == [[2, 3], [0, 3]]
    assert rows.heldout() is None
    with pytest.raises(Refusal, match="lacks 1 of the 2 numeric columns that this run has learnt, such as 'b'"):
        table(written(tmp_path / "short.csv", "a,c", "3,9", "4,9"), columns)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["1,2", "3,4"], "Wanted a first line that names the columns"),
        (["a,a", "3,4"], "two columns are called 'a'"),
        (["a,b", "x,y", "z,y"], "0 numeric columns that vary .a: it holds words"),
        (["a,b", "1,2"], "1 rows, 0 numeric columns"),
        (["a,b", "1,2", "3"], "cannot be read as a table"),
        ([""], "cannot be read as a table"),
    ],
)
def test_refusals(tmp_path: Path, lines: list[str], says: str) -> None:
    with pytest.raises(Refusal, match=says):
        table(written(tmp_path / "t.csv", *lines))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00a,b\n1,2\n")
    with pytest.raises(Refusal, match="cannot be read as a table"):
        table(tmp_path / "t.csv")
    (tmp_path / "t.parquet").write_bytes(b"no parquet")
    with pytest.raises(Refusal, match="cannot be read as a table"):
        table(tmp_path / "t.parquet")


def test_it_is_opened_by_its_ending(zoo: Path, tmp_path: Path) -> None:
    assert is_table(str(zoo))
    assert not is_table(str(tmp_path / "none.csv"))
    assert len(open_source(str(zoo))) == 3
    with pytest.raises(Refusal, match=r"none.csv: no such file. Wanted a table"):
        refuse_unknown(str(tmp_path / "none.csv"))
    with pytest.raises(Refusal, match=r"dcgan plays on pictures; .*zoo.csv is a table"):
        refuse_other(str(zoo), Images, "dcgan plays on")
    with pytest.raises(Refusal, match="is a table: --channels"):
        refuse_a_look(str(zoo), True)


def test_a_generators_file_keeps_the_columns() -> None:
    shape = TableShape.of((Column("a", 1.5, 2.0),))
    header = Header.from_json(Header("ae", {}, shape).to_json())
    assert header.shape == shape
    plain = Header.from_json(Header("ae", {}, DataShape(32, 32, 3)).to_json())
    assert type(plain.shape) is DataShape


def test_a_header_that_counts_its_columns_wrong_is_refused() -> None:
    text = Header("ae", {}, TableShape.of((Column("a", 1.5, 2.0),))).to_json().replace('"width": 1', '"width": 3')
    with pytest.raises(Refusal, match="1 columns in a row of 3"):
        Header.from_json(text)
