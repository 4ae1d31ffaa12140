"""The metrics and the calibration of probabilities, as `evaluate` writes them."""

from collections.abc import Callable

import numpy as np
from scipy.special import softmax
from torch import Tensor

from imagelab.config.schema import Node
from imagelab.evaluation.calibration import calibration
from imagelab.evaluation.mistakes import losses

TINY = 1e-12  # a probability of 0 would have an infinite loss


def measured(probabilities: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Node:
    """Metrics and calibration of probabilities (N, K); their logarithms take the place of logits.

    Args:
        probabilities: Of each image.
        labels: (N,) int64.
        loss: Logits (N, K) and labels -> mean loss.
    """
    from imagelab.metrics.classification import split_metrics

    logits = probabilities.clamp_min(TINY).log()
    metrics = {name: float(value) for name, value in split_metrics(logits, labels, loss).items()}
    return {"metrics": metrics, "calibration": calibrated(logits.numpy(), labels.numpy())}


def calibrated(logits: np.ndarray, labels: np.ndarray) -> Node | None:
    """How far the probabilities that logits (N, K) stand for can be trusted; None of a single image.

    nll: mean cross entropy. ece: expected calibration error; interval: its 95% interval. temperature: what to
    divide logits by; before, after: the error of every second image, without and with it.
    """
    if len(labels) < 2:
        return None
    found = calibration(logits, labels, seed=0)
    return {
        "nll": float(losses(softmax(logits, axis=1), labels).mean()),
        "ece": found.ece,
        "interval": list(found.interval),
        "temperature": found.temperature,
        "before": found.before,
        "after": found.after,
    }
