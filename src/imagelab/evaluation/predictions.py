"""What a network said of the images of a split: probabilities, names, pictures, all of it as a table."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imagelab.evaluation.mistakes import losses
from imagelab.runs.csv_cells import Writer

COLUMNS = ("file", "given", "predicted", "probability", "probability_of_given", "loss")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Outputs for each image of a split, in its order.

    Args:
        split: Its name.
        weights: The name of the weights that said it: raw, ema or swa.
        classes: Names, in the order of the labels.
        outputs: (N, K) float, such as logits.
        labels: (N,), int64 if they are classes.
        task: What was learnt.
        names: Of the images, (N,); empty where nobody knows which image is which.
        images: The images themselves, in that order; None where they are not at hand.
    """

    split: str
    weights: str
    classes: list[str]
    outputs: np.ndarray
    labels: np.ndarray
    task: Any
    names: np.ndarray
    images: Any

    @cached_property
    def predictions(self) -> np.ndarray:
        """(N, K): probabilities of the classes, or what else the task predicts."""
        return self.task.predictions(torch.from_numpy(self.outputs)).numpy()

    @cached_property
    def predicted(self) -> np.ndarray:
        """(N,) int64: the class that is decided on."""
        return self.task.decisions(torch.from_numpy(self.predictions)).numpy()

    def name(self, place: int) -> str:
        """What an image is called."""
        return str(self.names[place]) if len(self.names) else f"{self.split} {place}"

    def pixels(self, place: int, side: int) -> np.ndarray | None:
        """The image as it lies in the data set, (H, W, 3) uint8; None where it is not at hand.

        Args:
            place: Of the image.
            side: Its short side is wanted to have so many pixels; larger ones are decoded faster then.
        """
        if self.images is None:
            return None
        if hasattr(self.images, "photo"):
            return self.images.photo(place, side)
        pixels = self.images.images[place].permute(1, 2, 0).numpy()
        return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)

    def table(self) -> str:
        """A CSV file: a row for each image, the highest loss first."""
        out = io.StringIO()
        writer = Writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        loss = losses(self.predictions, self.labels)
        for place in np.argsort(-loss, kind="stable"):
            given, predicted = self.labels[place], self.predicted[place]
            row = self.predictions[place]
            numbers = [f"{value:.6g}" for value in (row[predicted], row[given], loss[place])]
            writer.writerow([self.name(place), self.classes[given], self.classes[predicted], *numbers])
        return out.getvalue()


def of_split(
    data: Any, split: str, weights: str, seen: tuple[Any, Any], *, task: Any, ranks: int
) -> Predictions:
    """Outputs as they were gathered from all ranks, brought into the order of the split.

    Args:
        data: The data of the run.
        split: Its name.
        weights: The name of the weights.
        seen: Outputs (N, K) and labels (N,), tensors, those of the first rank first.
        task: What was learnt.
        ranks: How many processes took turns.
    """
    outputs, labels = (part.float().numpy() if part.is_floating_point() else part.numpy() for part in seen)
    named = data.named[split]
    places = np.concatenate([np.arange(rank, len(named), ranks) for rank in range(ranks)])
    if len(places) == len(labels):
        order = np.argsort(places)
        outputs, labels = outputs[order], labels[order]
    known = np.array_equal(labels, named.labels)  # not where only a part was validated
    return Predictions(
        split=split,
        weights=weights,
        classes=data.classes,
        outputs=outputs,
        labels=labels,
        task=task,
        names=np.asarray(named.names) if known else np.empty(0, dtype=str),
        images=named.images if known else None,
    )


def csv_path(folder: Path, split: str) -> Path:
    """Where the table of a split lies in a run's folder."""
    return folder / f"{split}_predictions.csv"
