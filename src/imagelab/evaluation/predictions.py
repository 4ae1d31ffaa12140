"""Hold the predictions for a split with names and images."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Outputs for each image of a split, in order.

    Args:
        split: Name of the split.
        weights: Name of the weights: raw, ema or swa.
        classes: Class names of the data, in the order of the labels.
        outputs: Outputs such as logits, (N, K) float.
        labels: True labels, (N, ...), as in `contracts.Images`.
        task: Task that defines the predictions.
        names: Names of the images, (N,); empty if unknown.
        images: Images in the same order; None if not available.
        signals: What the network saw besides the images, (N, S) float32, in the same order; None: nothing.
    """

    split: str
    weights: str
    classes: list[str]
    outputs: np.ndarray
    labels: np.ndarray
    task: Any
    names: np.ndarray
    images: Any
    signals: Any = field(default=None)

    @cached_property
    def predictions(self) -> np.ndarray:
        """Predictions (N, K): class probabilities, or whatever the task predicts."""
        return self.task.predictions(torch.from_numpy(self.outputs)).numpy()

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predicted classes, (N,) int64, or the predicted values."""
        return self.task.decisions(torch.from_numpy(self.predictions)).numpy()

    def name(self, place: int) -> str:
        """The name of an image."""
        return str(self.names[place]) if len(self.names) else f"{self.split} {place}"

    def pixels(self, place: int, side: int) -> np.ndarray | None:
        """The image as in the data set, (H, W, 3) uint8; None if not available.

        Args:
            place: Index of the image.
            side: Short side that is sufficient, in pixels; larger images are then decoded faster.
        """
        if self.images is None:
            return None
        if hasattr(self.images, "photo"):
            return self.images.photo(place, side)
        pixels = self.images.images[place].permute(1, 2, 0).numpy()
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)


def of_split(
    data: Any, split: str, weights: str, seen: tuple[Any, Any], *, task: Any, ranks: int
) -> Predictions:
    """Sort outputs gathered from all ranks into the order of the split.

    Args:
        data: Data of the run.
        split: Name of the split.
        weights: Name of the weights.
        seen: Outputs (N, K) and labels (N,), tensors, rank by rank.
        task: Task that defines the predictions.
        ranks: Number of processes that shared the images.
    """
    outputs, labels = (part.float().numpy() if part.is_floating_point() else part.numpy() for part in seen)
    named = data.named[split]
    places = np.concatenate([np.arange(rank, len(named), ranks) for rank in range(ranks)])
    if len(places) == len(labels):
        order = np.argsort(places)
        outputs, labels = outputs[order], labels[order]
    # False if only a part was validated; not those of `named`, whose boxes are in pixels of the pictures.
    known = np.array_equal(labels, data.splits[split].labels)
    return Predictions(
        split=split,
        weights=weights,
        classes=data.classes,
        outputs=outputs,
        labels=labels,
        task=task,
        names=np.asarray(named.names) if known else np.empty(0, dtype=str),
        images=named.images if known else None,
        signals=data.signals.get(split),
    )


def csv_path(folder: Path, split: str) -> Path:
    """The path of a split's table in the folder of a run."""
    return folder / f"{split}_predictions.csv"
