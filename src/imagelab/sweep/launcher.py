"""What a `launcher=` is: where and how many at once the trials of a sweep run."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from imagelab.runs import files
from imagelab.sweep.trial import Trial


class Running(Protocol):
    """A trial that was started; a process of `subprocess` is one."""

    def poll(self) -> int | None:
        """Its exit status, negative for the signal that killed it; None while it runs."""
        ...

    def terminate(self) -> None:
        """Ask it to stop at the next safe place."""
        ...


class Launcher(Protocol):
    """Starts trials; `jobs` of them run at once."""

    jobs: int

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> Running:
        """Start a trial, or let it go on.

        Args:
            trial: What to run.
            here: Runs it in this process to its end, for its exit status.
        """
        ...


def command(trial: Trial) -> list[str]:
    """What to type for a trial: `resume=` where it has begun already, and can go on."""
    words = (
        [f"resume={trial.folder}"] if begun(trial.folder) else [*trial.words, f"hydra.run.dir={trial.folder}"]
    )
    return [sys.executable, "-m", "imagelab.train", *words]


def begun(folder: Path) -> bool:
    """Whether there is a run in the folder to go on with; a kill can leave an empty config."""
    config = folder / files.CONFIG
    return config.is_file() and config.stat().st_size > 0
