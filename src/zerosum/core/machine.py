"""What the machine offers: device, arithmetic, layout."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from zerosum.core.errors import Refusal
from zerosum.core.plan import Plan

Net = TypeVar("Net", bound=nn.Module)
_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Machine:
    """Where and how the networks are computed."""

    device: torch.device
    dtype: torch.dtype  # of autocast; float32 for none
    memory_format: torch.memory_format

    def take(self, net: Net) -> Net:
        """The network, on the device and in the layout."""
        return net.to(self.device).to(memory_format=self.memory_format)  # type: ignore[call-overload]

    @property
    def arithmetic(self) -> str:
        """In words: "bfloat16, channels_last"."""
        return f"{self.dtype}, {self.memory_format}".replace("torch.", "").replace("contiguous_format", "contiguous")

    def seed(self, number: int) -> None:
        """Random numbers, here and on the device, from this one on.

        `torch.manual_seed` has every kind of device in mind, and for each that is not there notes the whole call
        stack: a good part of a small network's step.
        """
        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.manual_seed_all(number)  # the device in use need not be the current one
        elif self.device.type != "cpu":
            torch.get_device_module(self.device).manual_seed(number)

    def autocast(self) -> torch.autocast:
        """The context in which losses are computed."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.dtype == torch.bfloat16)


def choose(plan: Plan) -> Machine:
    """The machine that the plan asks for. Raises Refusal for a device that is not there."""
    device = device_of(plan.device)
    bf16 = plan.precision == "bf16" or (plan.precision == "auto" and has_bf16(device))
    last = plan.layout == "channels_last" or (plan.layout == "auto" and bf16)
    return Machine(
        device,
        torch.bfloat16 if bf16 else torch.float32,
        torch.channels_last if last else torch.contiguous_format,
    )


def device_of(name: str) -> torch.device:
    """The device of this name; auto is a GPU where there is one, to each process of a machine its own.

    Raises Refusal for one that is not there.
    """
    if name == "auto":
        own = int(os.environ.get("LOCAL_RANK", "0"))
        return (
            torch.device("cuda", own % torch.cuda.device_count()) if torch.cuda.is_available() else torch.device("cpu")
        )
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()  # the device "meta" makes tensors, but they hold no numbers
    except (RuntimeError, AssertionError) as error:
        raise Refusal(f"--device {name} is not here. `zerosum doctor` lists what this machine offers.") from error
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether the processor multiplies bfloat16 faster than float32: AMX, AVX512-BF16, CUDA from Ampere on."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    features = cpu_features()
    return device.type == "cpu" and ("amx_bf16" in features or "avx512_bf16" in features)


def cpu_features() -> set[str]:
    """Those of amx_bf16, avx512_bf16, avx512f and avx2 that the processor has; empty where it cannot be told."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            words = set(file.read().split())
    except OSError:
        words = set()
    return words & {"amx_bf16", "avx512_bf16", "avx512f", "avx2"}


def available(device: torch.device) -> int | None:
    """Bytes of memory that are free on the device; None where that cannot be told.

    Of a processor's, what Linux can give without swapping, or what the process's control groups leave (containers),
    if that is less. What only caches files counts as free.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if device.type != "cpu":
        return None
    free = _numbers(_PROC / "meminfo").get("MemAvailable:")
    return min([*_left_by_groups(), *([1024 * free] if free is not None else [])], default=None)


def _left_by_groups() -> Iterator[int]:
    """Bytes that each control group of this process with a limit leaves, of version 2 and of 1 (man 7 cgroups)."""
    for folder in _groups():
        stat = _numbers(folder / "memory.stat")
        for limit, used, before in (("max", "current", ""), ("limit_in_bytes", "usage_in_bytes", "total_")):
            with contextlib.suppress(OSError, ValueError):  # of the other version; or "max", no limit
                most, now = (int((folder / f"memory.{name}").read_text()) for name in (limit, used))
                yield max(0, most - now + sum(stat.get(f"{before}{kind}_file", 0) for kind in ("active", "inactive")))


def _groups() -> Iterator[Path]:
    """The folders of this process's control groups for memory, and of those above them."""
    with contextlib.suppress(OSError):
        for line in (_PROC / "self" / "cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if not kinds or "memory" in kinds.split(","):
                root = _GROUPS / "memory" if kinds else _GROUPS
                own = root / path.lstrip("/")
                yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(root))


def _numbers(path: Path) -> dict[str, int]:
    """A file of lines with a name and a number; of none, nothing."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return {}
    return {name: int(number) for name, number, *_ in lines}


def describe() -> dict:
    """The machine in plain values, for run.json and bench results."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "features": sorted(cpu_features()),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def versions() -> dict[str, str]:
    """What was installed."""
    from importlib.metadata import version

    return {"python": platform.python_version()} | {name: version(name) for name in ("zerosum", "torch", "numpy")}
