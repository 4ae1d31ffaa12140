"""Computes the metrics that rows of the table list."""

from collections.abc import Iterable
from pkgutil import resolve_name

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
    return {row.name: resolve_name(row.function)(outputs, labels) for row in there}
