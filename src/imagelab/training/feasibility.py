"""Refuse a run that is impossible with its data, which the config alone does not show."""

from collections.abc import Iterator
from typing import Any

from imagelab.config.monitor import headline, metrics_of
from imagelab.config.rules.combinations import watchers
from imagelab.config.schema import Node
from imagelab.problem import Problem, some_of

NAMED = 10  # classes in a sentence


def refuse_impossible(cfg: Node, *, classes: list[str], warmup: int, total_steps: int) -> None:
    """Raise a Problem with one line per setting that is impossible with these data.

    Args:
        cfg: Config of the run.
        classes: Class names of the data.
        warmup: Number of warm-up steps.
        total_steps: Number of optimizer steps in the run.
    """
    found = [*_metrics(cfg, classes), *_warmup(warmup, total_steps)]
    if found:
        raise Problem("\n".join(found))


def refuse_other_data(then: Node, now: Node, folder: object) -> None:
    """Raise a Problem if a run would resume with other data than it began with.

    Args:
        then: Card of the run's checkpoint.
        now: Card of the run as it is built now.
        folder: Folder of the run.
    """
    for fact in ("classes", "counts"):
        if fact in then and then[fact] != now[fact]:
            raise Problem(
                f"The data have changed since this run began: {fact} then {_short(then[fact])}; now "
                f"{_short(now[fact])}. Restore them, or start a new run with model.weights={folder}."
            )
    if changed := [split for split, mark in then.get("labels", {}).items() if mark != now["labels"][split]]:
        raise Problem(
            f"The data have changed since this run began: {' and '.join(changed)} with other images or "
            "labels, or dealt in another way. Restore them, or start a new run with "
            f"model.weights={folder}."
        )


def _metrics(cfg: Node, classes: list[str]) -> Iterator[str]:
    least = {row.name: row.above_classes for row in metrics_of(cfg)}
    for path, node in watchers(cfg).items():
        above = least.get(str(node.get("monitor")).rpartition("/")[2], 0)
        if len(classes) <= above:
            yield (
                f"{path}monitor: {node['monitor']} needs more than {above} classes, and these data have "
                f"{len(classes)}; set {path}monitor=val/{headline(cfg)}"
            )


def _warmup(steps: int, total_steps: int) -> Iterator[str]:
    if steps >= total_steps and steps:
        yield (
            f"schedule.warmup: wants fewer steps than the {total_steps} of the whole run, got {steps}; "
            "a fraction such as 0.05 always fits"
        )


def _short(fact: Any) -> str:
    words = [f"{key} {value}" for key, value in fact.items()] if isinstance(fact, dict) else fact
    return some_of(words, NAMED)
