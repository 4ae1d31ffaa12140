"""Tell which of several classes an image has: each class is a question of its own, answered by a sigmoid.

A class is predicted if its probability reaches a threshold, which is fitted to each validation and kept with
the weights: 0.5 would hardly ever predict a rare class.

Source: Lipton et al. 2014, https://arxiv.org/abs/1402.1892, section 3 (the threshold that maximises F1).
"""

from typing import Any

import torch
from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.data.labels import SEPARATOR
from imagelab.metrics.measure import measure
from imagelab.metrics.table import LOSS, TAGS, rows_of
from imagelab.metrics.tags import best_thresholds, f1, subset_accuracy
from imagelab.task.contract import Criterion, Forward

TINY = 1e-7  # a probability of 0 or 1 would have an infinite logit


class Multilabel(nn.Module):
    """The task of predicting any number of classes per image: outputs are logits, one for each class.

    A module, so that the thresholds go with the weights.

    Args:
        loss: Logits (B, K) and answers or shares (B, K) float -> mean loss.
        classes: Names of the classes.
    """

    takes = "multilabel"
    views = 1
    predicts = "tags"
    columns = ("classes",)
    report = "imagelab.reports.of_tags.of_tags"  # room: reports

    def __init__(self, *, loss: Criterion, classes: list[str]) -> None:
        super().__init__()
        self.criterion = loss
        self.names = classes
        self.kept = len(classes)
        self.thresholds: Tensor
        self.register_buffer("thresholds", torch.full((self.kept,), 0.5))

    def head(self, features: int) -> None:
        """The network's own last layer makes the logits."""

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """Whether an image has each class, (B, K) float; mixed images have the shares of their parts."""
        return labels.float()

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """The classes of each image, with their shares where images are blended.

        >>> Multilabel.captions(torch.tensor([[1.0, 0.25], [0.0, 0.0]]), classes=["even", "loop"])
        ['even + 0.25 loop', '-']
        """
        return [
            " + ".join(
                name if share > 0.995 else f"{share:.2f} {name}"
                for name, share in zip(classes, row, strict=True)
                if share > 0.005
            )
            or "-"
            for row in targets.float().tolist()
        ]

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """The mean loss of a training batch."""
        return self.criterion(forward(batch.images), batch.targets)

    def correct(self, outputs: Tensor, batch: Inputs) -> None:
        """What is right depends on thresholds, which training does not fit."""

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """Logits (B, K) and labels (B, K) bool."""
        return forward(batch.images), batch.labels

    def fit(self, outputs: Tensor, labels: Tensor) -> None:
        """Set the thresholds to those with the highest F1 on a split."""
        self.thresholds.copy_(best_thresholds(self.predictions(outputs), labels))

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of all logits and labels of a split, at the thresholds of the last `fit`."""
        found = {LOSS: self.criterion(outputs, labels.float())}
        found |= measure(rows_of(TAGS), outputs, labels, classes=self.kept)
        decided = self.decisions(self.predictions(outputs))
        return found | {"f1_macro": f1(decided, labels), "subset_accuracy": subset_accuracy(decided, labels)}

    def predictions(self, outputs: Tensor) -> Tensor:
        """Logits -> the probability of each class."""
        return outputs.float().sigmoid()

    def as_outputs(self, predictions: Tensor) -> Tensor:
        """Probabilities -> logits."""
        return predictions.logit(eps=TINY)

    def decisions(self, predictions: Tensor) -> Tensor:
        """Probabilities -> whether each class is predicted, (..., K) bool."""
        return predictions >= self.thresholds.to(predictions.device)

    def wording(self, decision: Any) -> str:
        """The names of the classes of an image."""
        return SEPARATOR.join(name for name, there in zip(self.names, decision, strict=True) if there)

    def summary(self, prediction: Tensor) -> list[str]:
        """The predicted classes."""
        return [self.wording(self.decisions(prediction).tolist())]

    def calibration(self, outputs: Tensor, labels: Tensor) -> None:
        """Thresholds are fitted, so decisions do not rest on calibrated probabilities."""
