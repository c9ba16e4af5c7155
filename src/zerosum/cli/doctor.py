"""Say what this machine offers, and what is amiss."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from zerosum.cli._common import parse, show


@dataclass(frozen=True)
class Options:
    """What the machine offers."""

    json: bool = False
    """Print JSON."""


def main(argv: list[str]) -> int:
    """`zerosum doctor`: 0 if all is well, 1 if something would keep Zerosum from working."""
    options = parse(Options, argv, "doctor", "Say what this machine offers, and what is amiss.")
    record = examine()
    text = "\n".join(f"{name.replace('_', ' '):<14} {_plain(v)}" for name, v in record.items() if name != "amiss")
    amiss = "\n".join(f"amiss: {fault}" for fault in record["amiss"]) or "all is well"
    show(record, options.json, f"{text}\n\n{amiss}")
    return 1 if record["amiss"] else 0


def examine() -> dict:
    """What was found, in plain values; `amiss` lists the faults with their remedies."""
    import torch

    from zerosum.core.files import cache_dir
    from zerosum.core.machine import choose, describe, versions
    from zerosum.core.plan import Plan

    machine = choose(Plan())
    cache = cache_dir()
    free = shutil.disk_usage(cache).free / 2**30
    amiss = []
    if free < 2:
        amiss.append(f"only {free:.1f} GiB free for the cache in {cache}: free some, or set ZEROSUM_CACHE elsewhere.")
    return {
        **describe(),
        **versions(),
        "threads": torch.get_num_threads(),
        "trains_on": f"{machine.device}, {machine.arithmetic}",
        "processes": _together(),
        "cache": f"{cache} ({free:.0f} GiB free)",
        "amiss": amiss,
    }


def _plain(value: object) -> str:
    return "none" if value is None else ", ".join(value) or "none" if isinstance(value, list) else str(value)


def _together() -> str:
    """By what, and how many processes may train together here."""
    import torch
    from torch import distributed

    if not distributed.is_available():
        return "one only: this PyTorch was built without torch.distributed"
    carriers = [name for name in ("gloo", "nccl") if distributed.is_backend_available(name)]
    gpus = torch.cuda.device_count()
    example = f"torchrun --nproc-per-node {gpus if gpus > 1 else 2} -m -- zerosum train ..."
    worth = "one a GPU" if gpus > 1 else "little gain on one processor: its threads already share the work"
    return f"{' and '.join(carriers)}: {example} ({worth})"
