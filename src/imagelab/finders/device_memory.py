"""Measure the free memory of a device, and the peak memory of training steps.

Source: https://docs.kernel.org/filesystems/proc.html (MemAvailable, VmHWM, clear_refs),
https://docs.kernel.org/admin-guide/cgroup-v2.html (memory.max)
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

MEMINFO = Path("/proc/meminfo")
STATUS = Path("/proc/self/status")
CGROUPS = (  # limit and usage, in version 2, then in version 1
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
PEAK = "5"  # value for `clear_refs` that resets the peak


@dataclass(frozen=True, kw_only=True)
class Meter:
    """Measures the memory of a device.

    Args:
        room: Bytes available for training; None if unknown.
        enforced: Whether the search must keep batches within `room` itself: a CPU would swap, or the system
            kill the process.
        reset: Frees unused memory and resets the peak.
        peak: Returns the peak memory since then, in bytes; None if unknown.
    """

    room: float | None
    enforced: bool
    reset: Callable[[], None]
    peak: Callable[[], float | None]


def meter_of(device: torch.device, share: float) -> Meter:
    """Make the meter of a device.

    Args:
        device: Device to train on.
        share: Share of the free main memory that training on a CPU may take, in (0, 1].
    """
    if device.type == "cuda":
        return _cuda(device)
    if device.type == "cpu":
        return _cpu(share)
    return Meter(room=None, enforced=False, reset=lambda: None, peak=lambda: None)


def free_memory() -> int | None:
    """Bytes that this process may still take without swapping, within the limits of machine and cgroup."""
    found = [limit - used for limit, used in ((_number(a), _number(b)) for a, b in CGROUPS) if limit and used]
    available = _entry(MEMINFO, "MemAvailable")
    found += [] if available is None else [available]
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)  # macOS: half of all
    return max(0, min(found)) if found else None


def _cpu(share: float) -> Meter:
    free = free_memory()
    before = _entry(STATUS, "VmRSS") or 0

    def reset() -> None:
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text(PEAK)

    def peak() -> float | None:
        highest = _entry(STATUS, "VmHWM")
        return None if highest is None else max(0, highest - before)

    return Meter(room=None if free is None else share * free, enforced=True, reset=reset, peak=peak)


def _cuda(device: torch.device) -> Meter:
    free, _ = torch.cuda.mem_get_info(device)

    def reset() -> None:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)

    room = free + torch.cuda.memory_reserved(device)
    return Meter(room=room, enforced=False, reset=reset, peak=lambda: torch.cuda.max_memory_reserved(device))


def _entry(path: Path, name: str) -> int | None:
    """Bytes in the line `name:  N kB` of a file; None if it has no such line."""
    with suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return 1024 * int(line.split()[1])
    return None


def _number(path: Path) -> int | None:
    """The number in a file; None if it has none, such as `max` for no limit."""
    with suppress(OSError, ValueError):
        return int(path.read_text())
    return None
