"""Define a launcher: where the trials of a sweep run, and how many at once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from imagelab.config.hydra_internals import quoted
from imagelab.runs import files
from imagelab.sweep.trial import Trial


class Running(Protocol):
    """A started trial, such as a process of `subprocess`."""

    def poll(self) -> int | None:
        """The exit status, negative if a signal killed it; None while it is running."""
        ...

    def terminate(self) -> None:
        """Ask the trial to stop at the next safe place."""
        ...


class Launcher(Protocol):
    """Base class of launchers; `jobs` trials run at once."""

    jobs: int

    def start(self, trial: Trial, here: Callable[[Trial], int]) -> Running:
        """Start or resume a trial.

        Args:
            trial: Trial to run.
            here: Function that runs a trial in this process and returns its exit status.
        """
        ...


def command(trial: Trial) -> list[str]:
    """The command of a trial: with `resume=` if it has begun and can be resumed."""
    new = [*trial.words, f"hydra.run.dir={quoted(trial.folder)}"]
    words = [f"resume={trial.folder}"] if begun(trial.folder) else new
    return [sys.executable, "-m", "imagelab.train", *words]


def begun(folder: Path) -> bool:
    """Whether the folder holds a run that can be resumed; a kill can leave an empty config."""
    config = folder / files.CONFIG
    return config.is_file() and config.stat().st_size > 0
