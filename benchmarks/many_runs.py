"""Many short runs side by side, each kept as a line of a CSV file, so that a stopped benchmark goes on."""

import csv
import json
import math
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagelab.config import validate
from imagelab.config.compose import compose, plain

COLUMNS = ("words", "seed", "accuracy", "seconds")
Words = dict[str, str]
"""What is said on the command line, key by key."""


def one_line(words: Words) -> str:
    """The words in one line."""
    return " ".join(f"{key}={value}" for key, value in words.items())


def run(words: Words, seed: int, folder: Path | None = None) -> tuple[float, float]:
    """Test accuracy of one run, with the weights that validation finds best, and its seconds.

    The accuracy is NaN where the loss became NaN.

    Args:
        words: What the run is told.
        seed: Of the run.
        folder: Where it is kept; None: nowhere.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        results = finish(words, seed, folder or Path(temporary))
    return results["test"]["accuracy"] if results else math.nan, time.perf_counter() - began


def finish(words: Words, seed: int, place: Path) -> dict[str, Any] | None:
    """Train a run in a folder and return its results.json; None if the loss became NaN."""
    from imagelab import train
    from imagelab.runs import files
    from imagelab.terminal import screen

    screen.hush()
    composed = compose("train", [*one_line(words).split(), f"seed={seed}"])
    assert composed.cfg is not None, composed.problems
    cfg = plain(composed.cfg)
    mistakes = composed.problems + validate.problems(cfg)
    assert not mistakes, mistakes
    place.mkdir(parents=True, exist_ok=True)
    files.write_config(cfg, place)
    try:
        train.run(cfg, place, None)
    except SystemExit:
        said_last = (place / "console.log").read_text()
        assert "NaN" in said_last, said_last
        return None
    results: dict[str, Any] = json.loads((place / files.RESULTS).read_text())
    return results


@dataclass(frozen=True)
class Record:
    """The runs that were done: accuracy by what was said and seed, in a file."""

    file: Path

    def read(self) -> dict[tuple[str, int], float]:
        """All of them."""
        if not self.file.is_file():
            return {}
        with self.file.open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        return {(row["words"], int(row["seed"])): float(row["accuracy"]) for row in rows}

    def keep(self, name: str, seed: int, accuracy: float, seconds: float) -> None:
        """Add one."""
        new = not self.file.is_file()
        with self.file.open("a", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            if new:
                writer.writerow(COLUMNS)
            writer.writerow([name, seed, f"{accuracy:.4f}", f"{seconds:.1f}"])

    def fill(self, wanted: Mapping[tuple[str, int], Words], workers: int) -> None:
        """Do those that are missing, so many side by side with one thread each."""
        kept = self.read()
        missing = {key: words for key, words in wanted.items() if key not in kept}
        os.environ["OMP_NUM_THREADS"] = "1"
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            started = {pool.submit(run, words, key[1]): key for key, words in missing.items()}
            for done, future in enumerate(as_completed(started), 1):
                name, seed = started[future]
                if error := future.exception():
                    print(f"{name} seed {seed}: {error!r}", flush=True)
                    continue
                self.keep(name, seed, *future.result())
                print(f"{done}/{len(missing)} {name or 'base'} {seed}: {future.result()[0]:.4f}", flush=True)


def spread(values: list[float]) -> str:
    """Mean and standard error of shares, in percent."""
    return f"{100 * statistics.fmean(values):.1f} ± {100 * error(values):.1f}"


def error(values: list[float]) -> float:
    """The standard error of their mean."""
    return statistics.stdev(values) / math.sqrt(len(values))


def machine() -> str:
    """Where this runs."""
    return f"{os.cpu_count()} cores, {platform.machine()}"
