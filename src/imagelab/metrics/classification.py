"""Computes the metrics of a split once, from all its logits, so that they are the same for any batch size.

A metric maps logits (N, K) float and hard labels (N,) int64 to a scalar; `table.py` lists them.

Source: torchmetrics, https://lightning.ai/docs/torchmetrics/stable/; expected calibration error with 15 bins:
Guo et al. 2017, https://arxiv.org/abs/1706.04599, section 2.
"""

from collections.abc import Callable

from torch import Tensor
from torchmetrics.functional.classification import (
    binary_calibration_error,
    multiclass_accuracy,
    multiclass_f1_score,
)

from imagelab.metrics.measure import measure
from imagelab.metrics.table import LOSS, rows_of

BINS = 15  # of the calibration error


def split_metrics(
    logits: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    """Logits (N, K) float and hard labels (N,) int64 -> metric by name, those of the table and the loss."""
    return {LOSS: loss(logits, labels)} | measure(rows_of("classes"), logits, labels, classes=logits.shape[1])


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of images that are right."""
    return (logits.argmax(dim=1) == labels).float().mean()


def accuracy_macro(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over classes of the share of their images that are right."""
    scores = multiclass_accuracy(logits, labels, logits.shape[1], "macro", validate_args=False)
    return scores.clamp(max=1)  # torchmetrics averages in float32, which can exceed 1 by a rounding


def f1_macro(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over classes of the harmonic mean of precision and recall."""
    scores = multiclass_f1_score(logits, labels, logits.shape[1], average="macro", validate_args=False)
    return scores.clamp(max=1)


def ece(logits: Tensor, labels: Tensor) -> Tensor:
    """The expected calibration error."""
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    return calibration_error(confidence, predicted == labels).clamp(max=1)


def accuracy_top5(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of images whose label is among the five likeliest classes."""
    return (logits.topk(5).indices == labels[:, None]).any(dim=1).float().mean()


def calibration_error(confidence: Tensor, right: Tensor) -> Tensor:
    """Mean distance of confidence and accuracy over BINS bins of equal width, weighted by their images.

    Args:
        confidence: (N,) float in [0, 1], the highest probability of each image.
        right: (N,) bool, whether its class is the right one.
    """
    return binary_calibration_error(confidence, right.long(), n_bins=BINS, validate_args=False)
