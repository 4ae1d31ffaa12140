"""Predict the held-out images of each run of a cross-validation."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.runs.csv_cells import Writer
from imagelab.terminal import screen

COLUMNS = ("file", "label", "fold", "predicted")


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """One fold, predicted by the run that held it out.

    Args:
        fold: Number of the fold.
        classes: Class names, in the order of the labels.
        names: Names of the images, (N,): file, or split and index.
        labels: True classes, (N,) int64.
        probabilities: Class probabilities, (N, K).
        predicted: Predicted classes, (N,) int64.
        metrics: Metrics by name, such as "accuracy".
        pool: Number of images in all folds together.
    """

    fold: int
    classes: list[str]
    names: list[str]
    labels: np.ndarray
    probabilities: np.ndarray
    predicted: np.ndarray
    metrics: dict[str, float]
    pool: int

    @property
    def right(self) -> int:
        """Number of correct predictions."""
        return int((self.predicted == self.labels).sum())


def predict_fold(folder: Path, checkpoint: str) -> HeldOut:
    """Let a run predict the fold that it held out.

    Raises:
        Problem: If its checkpoint or its images no longer exist.
    """
    import torch

    from imagelab.build import build_task
    from imagelab.evaluation.measured import measured
    from imagelab.evaluation.members import load_members
    from imagelab.evaluation.one_pass import probabilities
    from imagelab.evaluation.one_run import data_of, device_of, here
    from imagelab.task.contract import Predicting

    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    member = load_members([(folder, checkpoint)], None)[0]
    cfg = here(files.read_config(folder), None)
    data = data_of(cfg, member.card, "val")
    size = min(data.batch_size, data.counts["val"])
    device = device_of(cfg["trainer"])
    found = probabilities([member], data, "val", tta=None, batch_size=size, device=device)[0]
    labels = torch.from_numpy(data.splits["val"].labels)
    task = cast(Predicting, build_task(cfg, data, ranks=1))  # `load_members` refuses other tasks
    screen.release()
    return HeldOut(
        fold=cfg["data"]["fold"],
        classes=data.classes,
        names=data.named["val"].names,
        labels=labels.numpy(),
        probabilities=found.numpy(),
        predicted=task.decisions(found).numpy(),
        metrics=measured(found, labels, task)["metrics"],
        pool=data.counts["train"] + data.counts["val"],
    )


def table(held: Sequence[HeldOut]) -> str:
    """The content of out_of_fold.csv: one row per image, with the probabilities of all classes.

    Raises:
        Problem: If the images have changed between the runs.
    """
    names = [name for one in held for name in one.names]
    if len(set(names)) < len(names) or any(one.pool != len(names) for one in held):
        raise Problem(
            f"the runs held out {len(set(names)):,} different images in {len(names):,} predictions, of "
            f"{max(one.pool for one in held):,}: the images have changed since the first run; "
            "start a new sweep"
        )
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *held[0].classes])
    for one in held:
        for name, label, guess, row in zip(
            one.names, one.labels, one.predicted, one.probabilities, strict=True
        ):
            numbers = [f"{value:.6f}" for value in row]
            writer.writerow([name, one.classes[label], one.fold, one.classes[guess], *numbers])
    return out.getvalue()
