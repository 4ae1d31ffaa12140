"""Fit the numbers of a task, such as thresholds, to the validation of a set of weights, to keep with them."""

from typing import Any

from torch import Tensor

from imagelab.task.contract import Fits


def fitted_numbers(task: Any, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Fit a task to a split, and return copies of its numbers by their names in the module's state.

    Args:
        task: Task; one that fits nothing has no such numbers.
        outputs: Outputs of the split, (N, kept) float.
        labels: Labels of the split, (N, ...).
    """
    if not isinstance(task, Fits) or not len(labels):
        return {}
    task.fit(outputs, labels)
    return {f"task.{name}": value.clone() for name, value in task.named_buffers(recurse=False)}
