"""Log the class probabilities of one fixed batch throughout training (prediction dynamics).

Source: Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/, "visualize prediction dynamics".
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import Callback, Trainer
from lightning.fabric.utilities import move_data_to_device
from torch import Tensor

from imagelab.data.ranks import first_of_each
from imagelab.pages.heat_map import heat_map
from imagelab.runs.csv_cells import Writer, restored
from imagelab.training.preserve import preserve_state
from imagelab.training.step_plan import closes_step

NAME = "prediction_dynamics"
COLUMNS = ("step", "image", "label", "class", "probability")
LEAST = 0.01  # smaller probabilities are left out of the table, except that of the label


class PredictionDynamics(Callback):
    """Log `prediction/probability`, `/entropy` and `/changed`; prediction_dynamics.csv has every probability.

    The images are the first of the val split, each class in proportion, preprocessed as in evaluation.

    Args:
        images: Number of images, >= 1.
        every: Optimizer steps between two records, >= 1; the untrained network is recorded, too.
        folder: Folder of the run.
    """

    watches_layers = True
    needs_classes = True

    def __init__(self, *, images: int, every: int, folder: Path) -> None:
        self.images, self.every = images, every
        self.table = folder / f"{NAME}.csv"
        self.picture = folder / "images" / f"{NAME}.svg"
        self.last: list[int] = []  # the classes predicted at the previous record
        self.places = np.empty(0, np.int64)
        self.pixels, self.labels = torch.empty(0), torch.empty(0)
        self.classes: list[str] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        data: Any = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        self.classes = data.classes
        self.places = first_of_each(data.named["val"].labels, data.named["val"].contents, self.images)
        batch = data.plain("val", self.places)
        self.pixels = data.seen(move_data_to_device(batch, pl_module.device))
        self.labels = batch.labels
        if trainer.is_global_zero:
            rewind(self.table, trainer.global_step if self.last else -1)
        if not self.last:
            self._record_predictions(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if closes_step(trainer, batch_idx) and trainer.global_step % self.every == 0:
            self._record_predictions(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero:
            self.picture.parent.mkdir(parents=True, exist_ok=True)
            self.picture.write_text(picture(list(read(self.table))), encoding="utf-8")

    def state_dict(self) -> dict[str, Any]:
        return {"last": self.last}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.last = state_dict["last"]

    def _record_predictions(self, trainer: Trainer, module: Any) -> None:
        probabilities = probabilities_of(trainer, module, self.pixels)
        found = module.task.decisions(probabilities).tolist()
        metrics = summary(probabilities, found, self.labels, self.last)
        self.last = found
        module.write(metrics)
        if trainer.is_global_zero:
            rows = entries(trainer.global_step, self.places, self.labels, probabilities, self.classes)
            with self.table.open("a", encoding="utf-8", newline="") as file:
                Writer(file, lineterminator="\n").writerows(rows)


@torch.no_grad()
def probabilities_of(trainer: Trainer, module: Any, images: Tensor) -> Tensor:
    """Images (N, C, H, W) -> class probabilities (N, K) on the CPU; does not affect the training."""
    precision = trainer.precision_plugin
    with preserve_state(module), precision.forward_context():
        module.eval()
        return module.task.predictions(module(precision.convert_input(images))).cpu()


def summary(probabilities: Tensor, found: list[int], labels: Tensor, before: list[int]) -> dict[str, float]:
    """The metrics of probabilities (N, K).

    Args:
        probabilities: Class probabilities, (N, K).
        found: Predicted classes, (N,).
        labels: True classes, (N,).
        before: Classes predicted at the previous record; empty at first.

    >>> metrics = summary(torch.tensor([[1.0, 0.0], [0.25, 0.75]]), [0, 1], torch.tensor([0, 0]), [1, 1])
    >>> metrics["prediction/probability"], metrics["prediction/changed"]
    (0.625, 0.5)
    """
    entropy = torch.special.entr(probabilities).sum(dim=1)
    metrics = {
        "prediction/probability": probabilities.gather(1, labels[:, None]).mean().item(),
        "prediction/entropy": entropy.mean().item(),
    }
    if before:
        metrics["prediction/changed"] = float(np.mean(np.asarray(found) != np.asarray(before)))
    return metrics


def entries(
    step: int, places: np.ndarray, labels: Tensor, probabilities: Tensor, classes: list[str]
) -> Iterator[tuple[int, int, str, str, str]]:
    """The rows of the table: per image the probability of its label, and all others that are not tiny."""
    for place, label, row in zip(places.tolist(), labels.tolist(), probabilities.tolist(), strict=True):
        for one, probability in enumerate(row):
            if one == label or probability >= LEAST:
                yield step, place, classes[label], classes[one], f"{probability:.4f}"


def read(path: Path) -> Iterator[list[str]]:
    """The complete rows of a table, without its header and without a last row cut short by a kill."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for row in list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1])))[1:]:
        yield [restored(cell) for cell in row]


def rewind(path: Path, step: int) -> None:
    """Drop the rows of later steps from a table; start one if there is none."""
    kept = [row for row in read(path) if int(row[0]) <= step]
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".csv.partial")
    with beside.open("w", encoding="utf-8", newline="") as file:
        Writer(file, lineterminator="\n").writerows([COLUMNS, *kept])
    beside.replace(path)


def picture(rows: list[list[str]]) -> str:
    """Draw the probability of each image's label over the steps, with images sorted by label."""
    steps = sorted({int(row[0]) for row in rows})
    images = sorted({(row[2], int(row[1])) for row in rows})
    column = {step: i for i, step in enumerate(steps)}
    line = {image: i for i, image in enumerate(images)}
    values = np.zeros((len(images), len(steps)))
    for step, image, label, one, probability in rows:
        if one == label:
            values[line[label, int(image)], column[int(step)]] = float(probability)
    names = [f"{label} (val {image})" for label, image in images]
    title = "Probability of the true class"
    return heat_map(values, rows=names, columns=steps, title=title, x_label="step")
