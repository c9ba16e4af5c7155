"""Pickles read without running them: those of arrays come out whole, all others are refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zerosum.core import restricted
from zerosum.core.errors import Refusal
from zerosum.core.packages import fetch


def kept(path: Path, value: Any, protocol: int = 3) -> Path:
    """A pickle as NumPy 1 wrote it, with the module's older name."""
    data = pickle.dumps(value, protocol)
    path.write_bytes(data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    return path


def test_arrays_come_out_whole(tmp_path: Path) -> None:
    rows = np.arange(6, dtype="<f4").reshape(2, 3)
    value = {
        "rows": rows,
        "columns": np.asfortranarray(rows),
        "more": {"i": np.arange(300, dtype="<i8")},
        "n": (1, "a"),
    }
    found = restricted.read(kept(tmp_path / "good.ckpt", value))
    assert found["n"] == (1, "a")
    for name in ("rows", "columns"):
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], rows)
    np.testing.assert_array_equal(found["more"]["i"], np.arange(300))


def test_a_real_one() -> None:
    found = restricted.read(fetch("lpips-alex"))
    assert found["AlexNet_0"]["Conv_0"]["kernel"].shape == (11, 11, 3, 64)


class Runs:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


class Quiet:
    pass


@pytest.mark.parametrize("protocol", [0, 2, 3, 4])
def test_a_program_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "it ran"
    with pytest.raises(Refusal, match="do not use it"):
        restricted.read(kept(tmp_path / "bad.ckpt", {"a": Runs(mark)}, protocol))
    assert not mark.exists()
    pickle.loads(pickle.dumps(Runs(mark)))
    assert mark.exists()  # so it was a real one


@pytest.mark.parametrize(
    "value", [Quiet(), np.array([Quiet()], object), np.array(["text"]), {1, 2}, np.dtype("O"), len, np.ndarray]
)
def test_other_things_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(Refusal, match=r"odd\.ckpt"):
        restricted.read(kept(tmp_path / "odd.ckpt", {"a": value}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\3\4",
        b"\x80\x03}.",
        b"\x80\x03.",
        b"\x80\x03u.",
        b"\x80\x03h\x05.",
        b"\x80\x03K\x01K\x02K\x03s.",
        b"\x80\x03cnumpy\nndarray\n)R.",
        b"\x80\x03cnumpy\ndtype\nK\x01R.",
        b"\x80\x03cnumpy\ndtype\nK\x01RK\x02b.",
        b"\x80\x03cos\nsystem\nX\x04\0\0\0true\x85R.",
    ],
)
def test_damage_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "bad.ckpt").write_bytes(data)
    if data == b"\x80\x03}.":
        assert restricted.read(tmp_path / "bad.ckpt") == {}
        return
    with pytest.raises(Refusal, match=r"bad\.ckpt"):
        restricted.read(tmp_path / "bad.ckpt")


def test_cut_short_anywhere_it_is_refused(tmp_path: Path) -> None:
    data = kept(tmp_path / "a.ckpt", {"a": np.zeros(3, "f4"), "b": {}}).read_bytes()
    for length in range(len(data)):
        (tmp_path / "short.ckpt").write_bytes(data[:length])
        with pytest.raises(Refusal, match=r"short\.ckpt"):
            restricted.read(tmp_path / "short.ckpt")
