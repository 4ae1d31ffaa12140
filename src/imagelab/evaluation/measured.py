"""Measure predictions: metrics and calibration, as `evaluate` writes them."""

from typing import Any

from torch import Tensor

from imagelab.config.schema import Node


def measured(predictions: Tensor, labels: Tensor, task: Any) -> Node:
    """Metrics and calibration of predictions (N, K), such as means over several networks.

    Args:
        predictions: Prediction for each image, (N, K).
        labels: True labels, (N,).
        task: Task with its loss.
    """
    outputs = task.as_outputs(predictions)
    metrics = {name: float(value) for name, value in task.metrics(outputs, labels).items()}
    return {"metrics": metrics, "calibration": task.calibration(outputs, labels)}
