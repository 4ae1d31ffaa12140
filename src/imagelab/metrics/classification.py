"""The metrics of a split, computed once from all its logits, so that they are the same for any batch size.

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

BINS = 15  # of the calibration error
FEW = 10  # classes: above, the five likeliest are looked at too


def split_metrics(
    logits: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    """Logits (N, K) float and hard labels (N,) int64 -> metric by name; `accuracy` is micro-averaged."""
    classes = logits.shape[1]
    probabilities = logits.softmax(dim=1)
    confidence, predicted = probabilities.max(dim=1)
    metrics = {
        "loss": loss(logits, labels),
        "accuracy": (logits.argmax(dim=1) == labels).float().mean(),
        "accuracy_macro": multiclass_accuracy(probabilities, labels, classes, "macro", validate_args=False),
        "f1_macro": multiclass_f1_score(probabilities, labels, classes, average="macro", validate_args=False),
        "ece": calibration_error(confidence, predicted == labels),
    }
    if classes > FEW:
        metrics["accuracy_top5"] = (logits.topk(5).indices == labels[:, None]).any(dim=1).float().mean()
    # torchmetrics averages in float32, which can exceed 1 by a rounding.
    return {name: value if name == "loss" else value.clamp(max=1) for name, value in metrics.items()}


def calibration_error(confidence: Tensor, right: Tensor) -> Tensor:
    """Mean distance of confidence and accuracy over BINS bins of equal width, weighted by their images.

    Args:
        confidence: (N,) float in [0, 1], the highest probability of each image.
        right: (N,) bool, whether its class is the right one.
    """
    return binary_calibration_error(confidence, right.long(), n_bins=BINS, validate_args=False)
