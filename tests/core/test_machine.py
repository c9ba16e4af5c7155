"""What the machine offers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zerosum.core import machine
from zerosum.core.machine import available, choose
from zerosum.core.plan import Plan


def test_seeding_is_that_of_torch() -> None:
    for number in (0, 7, 2**64 - 1):
        choose(Plan(device="cpu")).seed(number)
        ours = torch.rand(5)
        torch.manual_seed(number)
        assert torch.equal(ours, torch.rand(5))


CPU = torch.device("cpu")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up /proc, with 8 MiB free, and /sys/fs/cgroup without groups."""
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    write(
        tmp_path / "proc", meminfo="MemTotal:  16384 kB\nMemFree:  1024 kB\nMemAvailable:  8192 kB\nHugePages_Free: 0\n"
    )
    return tmp_path


def write(folder: Path, **files: str) -> None:
    """Files in a folder; "memory_max" is memory.max."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("memory_", "memory.")).write_text(text)


def test_what_is_free_is_what_the_system_can_give(system: Path) -> None:
    assert available(CPU) == 8 * 2**20
    write(system / "proc" / "self", cgroup="0::/\n")
    assert available(CPU) == 8 * 2**20, "no limit"


def test_a_control_group_leaves_less_and_its_cache_of_files_is_free(system: Path) -> None:
    write(system / "proc" / "self", cgroup="0::/box/inner\n")
    write(system / "groups" / "box" / "inner", memory_max="max\n", memory_current="5000000\n")
    assert available(CPU) == 8 * 2**20
    stat = "anon 4000000\nactive_file 300000\ninactive_file 200000\n"
    write(system / "groups" / "box", memory_max="6000000\n", memory_current="5000000\n", memory_stat=stat)
    assert available(CPU) == 1_500_000, "of the group above too"
    write(system / "groups" / "box", memory_max="1000000\n")
    assert available(CPU) == 0


def test_control_groups_of_version_1(system: Path) -> None:
    write(system / "proc" / "self", cgroup="5:cpu,cpuacct:/\n4:memory:/docker/0123\n0::/\n")
    limited = {"memory_limit_in_bytes": "6000000\n", "memory_usage_in_bytes": "5000000\n"}
    write(system / "groups" / "memory", **limited, memory_stat="inactive_file 9\ntotal_inactive_file 200000\n")
    assert available(CPU) == 1_200_000, "in a container its own group is the root"
    write(system / "groups" / "memory", memory_limit_in_bytes="9223372036854771712\n")
    assert available(CPU) == 8 * 2**20


def test_where_it_cannot_be_told_what_is_free(system: Path) -> None:
    (system / "proc" / "meminfo").unlink()
    assert available(CPU) is None
    assert available(torch.device("meta")) is None


def test_this_machine_has_something_free() -> None:
    free = available(CPU)
    assert free is None or 0 < free < 2**50
