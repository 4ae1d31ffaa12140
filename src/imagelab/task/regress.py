"""Predict values: each image has one number or several, and the network learns to give them.

Values are standardised for the network, so that its head starts at their mean and one rate suits any unit;
predictions and metrics are in the units of the data.

Source: Bishop 1995, Neural Networks for Pattern Recognition, section 8.2 (rescaling of targets).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.metrics.measure import measure
from imagelab.metrics.table import LOSS, VALUES, rows_of
from imagelab.problem import Problem
from imagelab.task.contract import Criterion, Forward


class Regress(nn.Module):
    """The task of predicting values: outputs are standardised values, one for each column of the labels.

    A module, so that the mean and the deviation of the training values go with the weights.

    Args:
        loss: Standardised outputs (B, V) and targets (B, V) -> mean loss.
        classes: Names of the values.
        labels: Values of the training images, (N, V) float; None: a saved network brings mean and deviation.

    Raises:
        Problem: A value is the same for all training images.
    """

    takes = "values"
    views = 1
    predicts = "values"
    starts_at_zero = True
    columns = ()
    report = "imagelab.reports.of_values.of_values"  # room: reports

    def __init__(self, *, loss: Criterion, classes: list[str], labels: np.ndarray | None) -> None:
        super().__init__()
        self.criterion = loss
        self.names = classes
        self.kept = len(classes)
        values = np.zeros((2, self.kept)) if labels is None else labels.astype(np.float64)
        deviation = np.ones(self.kept) if labels is None else values.std(axis=0)
        for name, column, spread in zip(classes, values.T, deviation, strict=True):
            if not spread:
                raise Problem(
                    f"data: {name} is {column[0]:g} for all {len(column):,} training images; leave it out, "
                    "since there is nothing to learn"
                )
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(values.mean(axis=0), dtype=torch.float32))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float32))

    def head(self, features: int) -> None:
        """The network's own last layer makes the values."""

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """The values (B, V) float; those of mixed images are the means of their parts."""
        return labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """The values of each image.

        >>> Regress.captions(torch.tensor([[0.25, 12.0]]), classes=["ink", "slant"])
        ['ink 0.25, slant 12']
        """
        rows = targets.float().tolist()
        return [", ".join(f"{n} {v:.4g}" for n, v in zip(classes, row, strict=True)) for row in rows]

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """The mean loss of a training batch."""
        return self._distance(forward(batch.images), batch.targets)

    def correct(self, outputs: Tensor, batch: Inputs) -> None:
        """Values are never quite right."""

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """Standardised values (B, V), and true values (B, V)."""
        return forward(batch.images), batch.labels

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of all outputs and values of a split."""
        loss = {LOSS: self._distance(outputs, labels)}
        return loss | measure(rows_of(VALUES), self.predictions(outputs), labels, classes=self.kept)

    def predictions(self, outputs: Tensor) -> Tensor:
        """Standardised values -> values in the units of the data."""
        return outputs.float() * self.deviation.to(outputs.device) + self.mean.to(outputs.device)

    def as_outputs(self, predictions: Tensor) -> Tensor:
        """Values -> standardised ones."""
        return self._standardised(predictions)

    def decisions(self, predictions: Tensor) -> Tensor:
        """The values themselves."""
        return predictions

    def wording(self, decision: Any) -> str:
        """The values in order.

        >>> Regress.wording(None, [0.25, 12.0])
        '0.25 12'
        """
        return " ".join(f"{value:.6g}" for value in decision)

    def summary(self, prediction: Tensor) -> list[str]:
        """Nothing but the values, which have columns of their own."""
        return []

    def calibration(self, outputs: Tensor, labels: Tensor) -> None:
        """Values have no probabilities."""

    def _standardised(self, values: Tensor) -> Tensor:
        return (values - self.mean.to(values.device)) / self.deviation.to(values.device)

    def _distance(self, outputs: Tensor, values: Tensor) -> Tensor:
        wanted = self._standardised(values)
        return self.criterion(outputs.to(wanted.dtype), wanted)
