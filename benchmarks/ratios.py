"""Keep what the benchmarks measure in results/ratios.jsonl, a line per figure, and say what got worse since.

A benchmark measures each figure once per round, both sides in the same run; low and high are the extremes of
the rounds. A figure got worse if its best round now lies beyond the worst round that was kept.
"""

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple

FILE = Path(__file__).parent / "results" / "ratios.jsonl"
NOISE = 0.03  # of a figure: two quiet runs with few rounds differ by as much
Better = Literal["higher", "lower"]


class Figure(NamedTuple):
    """What was measured.

    Args:
        name: Name of the figure within its benchmark.
        values: One value per round.
        better: Which values are good ones.
        unit: times (a ratio of two sides), s (CPU seconds), and so on.
    """

    name: str
    values: Sequence[float]
    better: Better
    unit: str = "times"


def flag(parser: argparse.ArgumentParser) -> None:
    """Add the option that keeps what is measured."""
    parser.add_argument("--record", action="store_true", help="keep the figures in results/ratios.jsonl")


def settle(benchmark: str, figures: Sequence[Figure], *, record: bool) -> bool:
    """Print each figure beside the one that was kept; whether one got worse by more than the noise.

    Args:
        benchmark: Name of the script.
        figures: What was measured.
        record: Whether the new figures are kept instead.
    """
    known = {(line["benchmark"], line["name"]): line for line in kept()}
    worse = False
    for figure in figures:
        now, before = _line(benchmark, figure), known.get((benchmark, figure.name))
        fell = before is not None and got_worse(before, now)
        worse |= fell
        print(f"{benchmark}, {figure.name}: {shown(now)}; {_verdict(before, now, fell)}", flush=True)
        known[benchmark, figure.name] = now
    if record:
        lines = [json.dumps(known[key], ensure_ascii=False) for key in sorted(known)]
        FILE.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return worse and not record


def kept() -> list[dict[str, Any]]:
    """The figures that were kept."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.is_file() else []


def got_worse(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a figure is worse by more than the noise of both measurements.

    >>> before = {"better": "higher", "low": 2.0, "high": 2.2}
    >>> [got_worse(before, {"low": low, "high": low + 0.1}) for low in (1.7, 1.85, 3.0)]
    [True, False, False]
    """
    if before["better"] == "higher":
        return now["high"] < before["low"] * (1 - NOISE)
    return now["low"] > before["high"] * (1 + NOISE)


def shown(line: dict[str, Any]) -> str:
    """A figure with the extremes of its rounds."""
    return f"{line['value']:.4g} {line['unit']} ({line['low']:.4g} to {line['high']:.4g})"


def device() -> str:
    """The processor and the GPU, if there is one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{model or platform.machine()}, {os.cpu_count()} cores{gpu}"


def _line(benchmark: str, figure: Figure) -> dict[str, Any]:
    values = {
        "value": statistics.median(figure.values),
        "low": min(figure.values),
        "high": max(figure.values),
    }
    return {
        "benchmark": benchmark,
        "name": figure.name,
        **{key: float(f"{value:.4g}") for key, value in values.items()},
        "unit": figure.unit,
        "better": figure.better,
        "date": str(date.today()),
        "device": device(),
        "command": f"python {' '.join(Path(word).name if os.sep in word else word for word in sys.argv)}",
    }


def _verdict(before: dict[str, Any] | None, now: dict[str, Any], fell: bool) -> str:
    if before is None:
        return "nothing was kept to compare with"
    there = "" if before["device"] == now["device"] else f" on another device ({before['device']})"
    return f"{'WORSE than' if fell else 'kept'} {shown(before)}, {before['date']}{there}"
