"""A trial of a sweep: a training run in a folder below the sweep's, and what came of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagelab.runs import files

# As in results.json, where a diverged run has failed, and a killed one has left nothing.
FINISHED, PRUNED, DIVERGED, STOPPED = "finished", "pruned", "diverged", "stopped"
FAILED, KILLED = "failed", "killed"
VARIABLE = "IMAGELAB_TRIAL"  # number, pruner, patience and file of the study, for the process of a trial
INTERRUPTED = (130, 143)  # exit statuses after Ctrl-C and SIGTERM: they end a whole sweep


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A run to start, or to go on with.

    Args:
        number: From 0.
        words: Of its command line, without its folder.
        folder: Its own.
        said: A file for what it says where it has a process of its own.
        environment: Variables that its process finds.
    """

    number: int
    words: list[str]
    folder: Path
    said: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of a trial: a row of sweep.csv.

    Args:
        number: From 0.
        status: finished, pruned, diverged, failed, killed or stopped.
        overrides: Its values by key.
        value: The best one of the monitored metric; None where there is none.
        test: Test metrics by name, "test/accuracy".
        epochs: Trained.
        seconds: Of training.
        folder: Of the run.
        error: What went wrong, in a sentence.
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


def outcome(number: int, overrides: Mapping[str, str], folder: Path, code: int | None, said: str = "") -> Row:
    """What a trial left in its folder.

    Args:
        number: Of the trial.
        overrides: Its values by key.
        folder: Its own.
        code: Exit status of its process, negative for a signal; None where nobody saw it end.
        said: The last line that it said.
    """
    file = folder / files.RESULTS
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    error = " ".join(str(found.get("error") or ("" if code == 0 else said)).split())
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
    """What results.json says, unless the end of the process says that it is an older one.

    >>> _status("failed", "Diverged: the loss is NaN", 1), _status("stopped", "", -9), _status(None, "", 2)
    ('diverged', 'killed', 'failed')
    """
    if code is not None and code < 0:
        return KILLED
    if written == FAILED and error.startswith("Diverged"):
        return DIVERGED
    if code and code not in INTERRUPTED:
        return FAILED
    return written or (FINISHED if code == 0 else STOPPED if code else KILLED)
