"""Simulated sweeps on disk: sweep.yaml, sweep.csv and, for some trials, metrics.csv."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from imagelab.sweep import started, table
from imagelab.sweep.trial import Row


def made(
    folder: Path,
    space: Mapping[str, str],
    trials: Sequence[tuple[Mapping[str, Any], float | str]],
    *,
    search: str = "imagelab.sweep.random_search.Random",
    typed: tuple[str, ...] = (),
    monitor: str = "val/accuracy",
    fixed: tuple[str, ...] = ("data=cifar10",),
) -> Path:
    """A sweep whose trials have these values, and these results: a number, or how they ended without one."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "typed": list(typed),
        "choice": {"_target_": search} if search else None,
        "fixed": list(fixed),
        "space": dict(space),
        "monitor": monitor,
    }
    (folder / started.FILE).write_text(yaml.safe_dump(content, sort_keys=False))
    rows = [
        Row(
            number=number,
            status=result if isinstance(result, str) else "finished",
            overrides={key: str(value) for key, value in values.items()},
            value=None if isinstance(result, str) else result,
            test={} if isinstance(result, str) else {"test/accuracy": result - 0.01},
            epochs=3,
            seconds=1.5,
            folder=folder / str(number),
            error="OSError: disk full" if result == "failed" else "",
        )
        for number, (values, result) in enumerate(trials)
    ]
    table.write(folder, rows, monitor)
    return folder


def curve(folder: Path, losses: list[float]) -> None:
    """The metrics.csv of a trial."""
    folder.mkdir(exist_ok=True)
    lines = ["epoch,step,train/loss_epoch,val/loss,val/accuracy"]
    lines += [f"{i},{10 * (i + 1)},{loss},{loss},{1 - loss / 3}" for i, loss in enumerate(losses)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
