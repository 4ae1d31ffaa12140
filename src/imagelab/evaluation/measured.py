"""Measure predictions: metrics and calibration, as `evaluate` writes them."""

from typing import Any

from torch import Tensor

from imagelab.checkpoints.content import CLASSES
from imagelab.config.schema import Node
from imagelab.evaluation.mistakes import losses
from imagelab.metrics.calibration import calibration


def measured(predictions: Tensor, labels: Tensor, task: Any) -> Node:
    """Metrics and calibration of predictions (N, K), such as means over several networks.

    Args:
        predictions: Prediction for each image, (N, K).
        labels: True labels, (N,).
        task: Task with its loss.
    """
    outputs = task.as_outputs(predictions)
    metrics = {name: float(value) for name, value in task.metrics(outputs, labels).items()}
    return {"metrics": metrics, "calibration": calibrated(outputs, labels, task)}


def calibrated(outputs: Tensor, labels: Tensor, task: Any) -> Node | None:
    """Calibration of class probabilities; None for a single image, or if predictions are not classes.

    nll: mean cross entropy. ece: expected calibration error; interval: its 95% interval. temperature: divisor
    for logits; before, after: the error on every second image, without and with it.
    """
    if len(labels) < 2 or task.predicts != CLASSES:
        return None
    found = calibration(outputs.numpy(), labels.numpy(), seed=0)
    return {
        "nll": float(losses(task.predictions(outputs).numpy(), labels.numpy()).mean()),
        "ece": found.ece,
        "interval": list(found.interval),
        "temperature": found.temperature,
        "before": found.before,
        "after": found.after,
    }
