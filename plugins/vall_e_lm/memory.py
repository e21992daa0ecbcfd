"""How many utterances fit into memory at the same time, reckoned before they are begun."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vall_e_core import DeviceError

if TYPE_CHECKING:
    from .model import BaseModel

SHARE = 0.8
"""Of what is free, how much may be planned with: the rest is for what a step makes and throws away."""
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def cache_bytes(model: BaseModel, tokens: int) -> int:
    """What the keys and values of one row of `tokens` take."""
    one = model.new_cache(1, 1)
    return (one.keys.nbytes + one.values.nbytes) * tokens


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on `device`; None where that can't be told (CPUs elsewhere than on Linux, MPS).

    On Linux what the kernel calls available, within the limit of the process's control group.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + kept)
    if device.type != "cpu" or not MEMINFO.exists():
        return None
    lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
    if "MemAvailable" not in lines:
        return None
    available = int(lines["MemAvailable"].split()[0]) * 1024
    limit, used = _number(CGROUP / "memory.max"), _number(CGROUP / "memory.current")
    return available if limit is None or used is None else min(available, max(0, limit - used))


def _number(path: Path) -> int | None:
    """The number in a file of the kernel's; None where there is no such file, or no limit ("max")."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def fitting(model: BaseModel, batch: int, tokens: int, rows: int = 1) -> int:
    """How many of `batch` utterances of up to `tokens` fit at the same time, each `rows` rows (beam, guidance).

    Raises DeviceError where not even one does.
    """
    device = model.sep.device
    free = free_bytes(device)
    if free is None:
        return batch
    each = rows * cache_bytes(model, tokens)
    found = int(SHARE * free) // each
    if found < 1:
        raise DeviceError(
            f"out of memory on {device.type}",
            cause=f"one utterance of up to {tokens} tokens needs {each / 1e6:,.0f} MB for keys and values, "
            f"and {free / 1e6:,.0f} MB are free",
            try_="a smaller --max-ar-steps or --input-prompt-length, --dtype bfloat16, or a narrower beam",
        )
    return min(batch, found)
