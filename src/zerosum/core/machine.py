"""What the machine offers: device, arithmetic, layout."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from zerosum.core.errors import Refusal
from zerosum.core.plan import Plan

Net = TypeVar("Net", bound=nn.Module)


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
