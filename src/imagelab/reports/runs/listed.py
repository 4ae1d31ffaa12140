"""Collect the runs below logs/: what each changes, how it ended, what it reached."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from imagelab.config.differences import choice_of, differences, flat
from imagelab.config.menu import questions
from imagelab.config.monitor import monitored
from imagelab.config.schema import Node
from imagelab.metrics.table import METRICS, lower_is_better
from imagelab.problem import Problem, nearest
from imagelab.reports.runs.conditions import Condition, known, number_of, plain
from imagelab.runs import files, find
from imagelab.terminal.summary import near

FACTS = ("run", "status", "started", "seconds", "epochs", "commit")


@dataclass(frozen=True)
class Listed:
    """A run in the table.

    Args:
        folder: Folder of the run.
        cfg: Its config.
        results: Content of its results.json; empty if the run was killed, or still runs.
        started: When its config was written, in seconds since 1970.
    """

    folder: Path
    cfg: Node
    results: dict[str, Any]
    started: float

    @cached_property
    def changes(self) -> dict[str, Any]:
        """The choices and keys that differ from the defaults."""
        return differences(self.cfg)

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """The metrics of the best epoch on val and test, by name, such as "val/accuracy"."""
        parts = {split: self.results.get(split) or {} for split in ("val", "test")}
        return {f"{split}/{name}": value for split, found in parts.items() for name, value in found.items()}

    @cached_property
    def cells(self) -> dict[str, Any]:
        """Everything to sort and filter by: facts, metrics, choices, and all keys of the config."""
        commit = (self.results.get("git") or {}).get("commit")
        facts = {
            "run": near(self.folder),
            "status": self.results.get("status", "running or killed"),
            "started": time.strftime("%Y-%m-%d %H:%M", time.localtime(self.started)),
            "seconds": self.results.get("train_seconds"),
            "epochs": self.results.get("epochs"),
            "commit": commit[:10] if commit else None,
        }
        return flat(self.cfg) | _choices(self.cfg) | facts | self.metrics

    @property
    def best(self) -> str:
        """The monitored metric and its test value, such as "accuracy 0.9310 (test 0.9251)"."""
        name = (self.results.get("best") or {}).get("monitor") or monitored(self.cfg)
        value = (self.results.get("best") or {}).get("value")
        if value is None:
            return ""
        metric = name.partition("/")[2]
        test = self.metrics.get(f"test/{metric}")
        return f"{metric} {value:.4f}" + ("" if test is None else f" (test {test:.4f})")


def collect() -> tuple[list[Listed], list[str]]:
    """All runs below logs/, oldest first, and a sentence for each that cannot be read."""
    found, unreadable = [], []
    for folder in find.all_runs():
        try:
            cfg = files.read_config(folder)
            results = folder / files.RESULTS
            content = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
        except (Problem, ValueError) as error:
            unreadable.append(f"{near(folder)} is left out: {error}")
            continue
        found.append(Listed(folder, cfg, content, (folder / files.CONFIG).stat().st_mtime))
    return found, unreadable


def chosen(runs: Sequence[Listed], where: Sequence[Condition], sort: str | None) -> list[Listed]:
    """The runs that meet all conditions, in order.

    Args:
        runs: Runs, oldest first.
        where: Conditions.
        sort: Column: the best first for a metric, else ascending; `-` before it reverses. None: oldest first.

    Raises:
        Problem: If no run has such a column.
    """
    columns = list(dict.fromkeys(name for run in runs for name in run.cells))
    for condition in where:
        known(condition.column, columns, "where")
    left = [run for run in runs if all(condition.holds(run.cells) for condition in where)]
    if sort is None:
        return left
    name = known(sort.removeprefix("-"), columns, "sort")
    there = [run for run in left if run.cells.get(name) is not None]
    down = sort.startswith("-") != _larger_is_better(name)
    ordered = sorted(there, key=lambda run: _order(run.cells[name]), reverse=down)
    return [*ordered, *(run for run in left if run.cells.get(name) is None)]


def named(runs: Sequence[Listed], names: Iterable[str]) -> list[Listed]:
    """The runs with these folders, whole or only their last parts.

    Raises:
        Problem: If there is none, or several.
    """
    found = []
    for name in names:
        path = Path(str(name))
        if str(name) == "last":
            found.append(next(run for run in runs if run.folder == find.existing("last", "compare")))
            continue
        ends = [run for run in runs if run.folder.parts[-len(path.parts) :] == path.parts]
        same = [run for run in ends if run.folder == path] or ends
        if len(same) != 1:
            hint = nearest(str(name), [near(run.folder) for run in runs])
            several = " or ".join(near(run.folder) for run in same[:3])
            what = f"could be {several}" if same else f"is not a run below logs/{hint}"
            raise Problem(f"compare: {name} {what}")
        found += same
    return found


def columns_of(runs: Sequence[Listed]) -> tuple[list[str], list[str], list[str]]:
    """The columns of facts, of metrics, and of what differs from the defaults in at least one run."""
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    changes = list(dict.fromkeys(name for run in runs for name in run.changes))
    return list(FACTS), metrics, changes


def _choices(cfg: Node) -> dict[str, Any]:
    """The choice of each group, or the names of its choices."""
    return {
        group: [*(cfg[group] or {})] if isinstance(default, list) else choice_of(group, cfg[group])
        for group, default in questions("train").items()
        if group in cfg
    }


def _larger_is_better(name: str) -> bool:
    metric = name.partition("/")[2]
    return metric in {row.name for row in METRICS} and not lower_is_better(metric)


def _order(value: Any) -> tuple[bool, float, str]:
    number = number_of(value)
    return (number is None, 0.0 if number is None else number, plain(value))
