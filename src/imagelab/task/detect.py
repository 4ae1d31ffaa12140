# room: detection
"""Find objects: each has a class and a box, and the network returns boxes with classes and scores.

The network computes its own loss (`model/detector.py`), since what a place of a feature map should predict
depends on how it matches the boxes.
"""

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from imagelab.box_labels import CLASS, COLUMNS, CORNERS, NO_BOX, Detections, detected, there
from imagelab.contracts import Inputs
from imagelab.metrics.box_distance import distance  # room: exporting
from imagelab.metrics.box_fusion import fused
from imagelab.metrics.boxes import box_metrics
from imagelab.metrics.table import LOSS
from imagelab.model.detector import MOST, Detector
from imagelab.task.contract import Forward


class Detect:
    """The task of finding boxes: outputs are detections, rows of `box_labels`, and the loss of their batch.

    Args:
        classes: Names of the classes.
    """

    takes = "boxes"
    views = 1
    predicts = "boxes"
    columns = ()
    report = "imagelab.reports.of_boxes.of_boxes"  # room: reports
    writes = "imagelab.evaluation.box_files.write"
    compares_batch = True
    fields = ("class", "left", "top", "right", "bottom", "score")
    most = MOST
    kept = Detector.outputs + 1

    def __init__(self, *, classes: list[str]) -> None:
        self.names = classes

    def head(self, features: int) -> None:
        """The network's own last layers make the boxes."""

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        """The boxes, (B, M, 6)."""
        return labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        """The number of boxes of each class.

        >>> import numpy, torch
        >>> from imagelab.box_labels import padded
        >>> boxes = padded([numpy.array([[1, 0, 0, 9, 9], [1, 2, 2, 5, 5]]), numpy.empty((0, 5))])
        >>> Detect.captions(torch.from_numpy(boxes), classes=["ant", "bee"])
        ['2 bee', '-']
        """
        counted = [Counter(rows[there(rows), CLASS].int().tolist()) for rows in targets.cpu()]
        return [", ".join(f"{n} {classes[k]}" for k, n in sorted(one.items())) or "-" for one in counted]

    def loss(self, forward: Forward, batch: Inputs) -> Tensor:
        """The sum of the terms that the network compares its predictions by."""
        return forward(batch.images, targets=batch.targets).sum()

    def correct(self, outputs: Tensor, batch: Inputs) -> None:
        """A set of boxes is hardly ever quite right."""

    def outputs(self, forward: Forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        """Detections and the loss of the batch, (B, 601), and true boxes (B, M, 6)."""
        return forward(batch.images, targets=batch.targets), batch.labels

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of all detections and boxes of a split."""
        loss = {LOSS: outputs[:, -1].mean()} if outputs.shape[1] > Detector.outputs else {}
        return box_metrics(self.predictions(outputs), labels) | loss

    def calibration(self, outputs: Tensor, labels: Tensor) -> None:
        """Scores rank boxes; they are not probabilities of being right."""

    def predictions(self, outputs: Tensor) -> Tensor:
        """Outputs (..., 600 or 601) -> rows of `box_labels`, (..., 100, 6)."""
        return outputs[..., : Detector.outputs].float().unflatten(-1, (-1, COLUMNS))

    def scaled(self, predictions: Tensor, factor: float) -> Tensor:
        """Rows (..., 6) in pixels of an image that is larger by this factor."""
        factors = predictions.new_ones(COLUMNS)
        factors[CORNERS] = factor
        return predictions * factors

    def mirrored(self, predictions: Tensor, width: int) -> Tensor:
        """Rows (..., 6) in pixels of an image of this width, as they lie in its mirror image."""
        label, left, top, right, bottom, score = predictions.unbind(-1)
        turned = torch.stack([label, width - right, top, width - left, bottom, score], dim=-1)
        return torch.where(there(predictions)[..., None], turned, predictions)

    def fused(self, predictions: Tensor) -> Tensor:
        """Rows (V, B, 100, 6) of V networks or views as one set of boxes per image, (B, 100, 6)."""
        return fused(predictions)

    def renamed(self, predictions: Tensor, order: list[int]) -> Tensor:
        """Rows (..., 6) with class i in place of `order[i]`."""
        numbers = torch.full((len(order) + 1,), NO_BOX, device=predictions.device)  # the last for -1
        numbers[torch.tensor(order)] = torch.arange(len(order), dtype=numbers.dtype)
        rows = predictions.clone()
        rows[..., CLASS] = numbers[predictions[..., CLASS].long()]
        return rows

    def as_outputs(self, predictions: Tensor) -> Tensor:
        """Rows (N, 100, 6) -> outputs (N, 600), which have no loss."""
        return predictions.flatten(1)

    # room: exporting
    def apart(self, found: np.ndarray, given: np.ndarray, side: int) -> float:
        """The largest difference of scores, or of corners as shares of `side`, in matching rows."""
        return distance(found, given, side)

    # end
    def found(self, prediction: np.ndarray, width: int, height: int) -> Detections:
        """The objects in an image of this size, from rows (100, 6)."""
        return detected(prediction, self.names, width, height)
