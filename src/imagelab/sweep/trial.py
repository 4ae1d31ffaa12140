"""Describe a trial of a sweep, a training run in a folder below the sweep's, and read its outcome."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagelab.runs import files

# As in results.json, except that there a diverged run has failed, and a killed one has no entry.
FINISHED, PRUNED, DIVERGED, STOPPED = "finished", "pruned", "diverged", "stopped"
FAILED, KILLED = "failed", "killed"
RUNNING = "running"  # on another machine, for a sweep that shares its study
VARIABLE = "IMAGELAB_TRIAL"  # number, pruner, patience and file of the study, for the process of a trial
REPEATS = ("seed", "data.fold")  # trials that differ only in these repeat a configuration
INTERRUPTED = (130, 143)  # exit statuses after Ctrl-C and SIGTERM, which end the whole sweep

Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A run to start or resume.

    Args:
        number: Number of the trial, from 0.
        words: Overrides of the run, without its folder.
        folder: Folder of the run.
        log: File for the output of the run, if it has its own process.
        environment: Environment variables of its process.
    """

    number: int
    words: list[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """The outcome of a trial: a row of sweep.csv.

    Args:
        number: Number of the trial, from 0.
        status: finished, pruned, diverged, failed, killed or stopped.
        overrides: Values of the trial, by key.
        value: Best value of the monitored metric; None if there is none.
        test: Test metrics by name, such as "test/accuracy".
        epochs: Number of epochs trained.
        seconds: Training time.
        folder: Folder of the run.
        error: Sentence that says what went wrong.
    """

    number: int
    status: str
    overrides: Mapping[str, str]
    value: float | None = None
    test: Mapping[str, float | None] = field(default_factory=dict)
    epochs: int | None = None
    seconds: float | None = None
    folder: Path = Path()
    error: str = ""


def setup_of(row: Row) -> Values:
    """The values that a trial shares with its repeats."""
    return tuple(item for item in row.overrides.items() if item[0] not in REPEATS)


def outcome(
    number: int, overrides: Mapping[str, str], folder: Path, code: int | None, last_line: str = ""
) -> Row:
    """Read the outcome of a trial from its folder.

    Args:
        number: Number of the trial.
        overrides: Values of the trial, by key.
        folder: Folder of the run.
        code: Exit status of its process, negative for a signal; None if unknown.
        last_line: Last line of its output.
    """
    file = folder / files.RESULTS
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    error = " ".join(str(found.get("error") or ("" if code == 0 else last_line)).split())
    status = _status(found.get("status"), error, code)
    return Row(
        number=number,
        status=status,
        overrides=overrides,
        value=(found.get("best") or {}).get("value"),
        test={f"test/{name}": value for name, value in (found.get("test") or {}).items()},
        epochs=found.get("epochs"),
        seconds=found.get("train_seconds"),
        folder=folder,
        error=error if status not in (FINISHED, PRUNED) else "",
    )


def _status(written: str | None, error: str, code: int | None) -> str:
    """The status in results.json, unless the exit status shows that it is out of date.

    >>> _status("failed", "Diverged: the loss is NaN", 1), _status("stopped", "", -9), _status(None, "", 2)
    ('diverged', 'killed', 'failed')
    """
    if code is not None and code < 0:
        return KILLED
    if written == FAILED and error.startswith("Diverged"):
        return DIVERGED
    if code and code not in INTERRUPTED:
        return FAILED
    if written:
        return written
    if code is None:
        return KILLED
    return STOPPED if code else FINISHED
