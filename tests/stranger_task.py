"""A task as someone adds it who touches no file of the package: it predicts a value for each image."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from imagelab.contracts import Inputs
from imagelab.finding import Finding  # room: reports
from imagelab.pages.page import Section  # room: reports
from imagelab.pages.table import table  # room: reports
from imagelab.reports.image_parts import Figure, ImageParts  # room: reports

FEWEST, MOST = 2.0, 20.0


class Legs:
    """Predict the number of legs of what a digit stands for: 2 + 2 times the digit, from an image.

    Its outputs are values scaled to about [0, 1]; a prediction is the value itself.

    Args:
        power: Exponent of the absolute error in the loss, >= 1.
    """

    predicts = "legs"
    measures: ClassVar[dict[str, str]] = {"mae": "lower", "within_four": "higher"}
    views, kept = 1, 1
    columns = ("rounded",)
    report = "tests.stranger_task.of_values"

    def __init__(self, *, power: float) -> None:
        self.power = power
        self.names = ["legs"]

    def head(self, features: int) -> nn.Module:
        return nn.Linear(features, 1)

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        return scaled(legs(labels))

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        return [f"{value:.0f} legs" for value in values(targets)[:, 0].tolist()]

    def loss(self, forward: Any, batch: Inputs) -> Tensor:
        return self.distance(forward(batch.images).float(), batch.targets)

    def distance(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).abs().pow(self.power).mean()

    def correct(self, outputs: Tensor, batch: Inputs) -> None: ...

    def outputs(self, forward: Any, batch: Inputs) -> tuple[Tensor, Tensor]:
        return forward(batch.images), batch.labels

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        errors = (values(outputs) - legs(labels)).abs()
        loss = self.distance(outputs, scaled(legs(labels)))
        return {"mae": errors.mean(), "within_four": (errors <= 4).float().mean(), "loss": loss}

    def predictions(self, outputs: Tensor) -> Tensor:
        return values(outputs.float())

    def as_outputs(self, predictions: Tensor) -> Tensor:
        return scaled(predictions)

    def decisions(self, predictions: Tensor) -> Tensor:
        return predictions[..., 0]

    def wording(self, decision: Any) -> str:
        return f"{decision:.3f}"

    def summary(self, prediction: Tensor) -> list[str]:
        return [f"{float(prediction[0]):.0f}"]

    def calibration(self, outputs: Tensor, labels: Tensor) -> None: ...


def legs(labels: Tensor) -> Tensor:
    """Classes (N,) int64 -> values (N, 1) float."""
    return 2.0 + 2.0 * labels[:, None].float()


def scaled(true: Tensor) -> Tensor:
    return (true - FEWEST) / (MOST - FEWEST)


def values(outputs: Tensor) -> Tensor:
    return outputs * (MOST - FEWEST) + FEWEST


# room: reports
def of_values(found: Any) -> ImageParts:
    """The part of a report on values: how far off they are, the worst first."""
    true = legs(torch.from_numpy(found.labels))[:, 0].numpy()
    errors = abs(found.predicted - true)
    order = errors.argsort()[::-1]
    rows = [
        (found.name(place), float(true[place]), float(found.predicted[place])) for place in order.tolist()
    ]
    mean = float(errors.mean())
    finding = Finding(name="legs off", status="INFO", value=mean, expected="", why="On average.", fix="")
    lines = ["file,true,predicted", *(f"{name},{one},{other}" for name, one, other in rows)]
    return ImageParts(
        findings=[finding],
        sections=[Section("Legs", "The worst first.", table(("image", "true", "predicted"), rows))],
        figures=[Figure("legs off", f"{mean:.2f}", "mean of val")],
        table="\n".join(lines) + "\n",
    )


# end
