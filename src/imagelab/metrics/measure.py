"""Computes the metrics that rows of the table list."""

from collections.abc import Callable, Iterable
from pkgutil import resolve_name
from typing import Any

from torch import Tensor

from imagelab.metrics.table import Metric


def measure(rows: Iterable[Metric], outputs: Tensor, labels: Tensor, *, classes: int) -> dict[str, Tensor]:
    """The metrics by name that have a function.

    Args:
        rows: Rows of the task.
        outputs: Values kept per image, (N, K) float, such as logits.
        labels: (N,).
        classes: Number of classes of the data.
    """
    there = [row for row in rows if row.function and classes > row.above_classes]
    return {row.name: function_at(row.function)(outputs, labels) for row in there}


def function_at(path: str) -> Callable[..., Any]:
    """The function at a dotted path; if its module cannot be imported, the error says why."""
    module, _, name = path.rpartition(".")
    return resolve_name(f"{module}:{name}")  # with dots only, it hides that error
