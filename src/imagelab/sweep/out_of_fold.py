"""What the runs of a cross-validation say of the images that each of them held out."""

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
        fold: Its number.
        classes: Names, in the order of the labels.
        names: (N,) of its images: file, or split and place.
        labels: (N,) int64.
        probabilities: (N, K).
        predicted: (N,) int64, the classes that are decided on.
        metrics: By name, "accuracy".
        pool: How many images all folds have together.
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
        """How many were predicted right."""
        return int((self.predicted == self.labels).sum())


def predict_fold(folder: Path, checkpoint: str) -> HeldOut:
    """Ask a run about the fold that it held out.

    Raises:
        Problem: Its checkpoint or its images are gone.
    """
    import torch

    from imagelab.build import build_task
    from imagelab.contracts import Predicting
    from imagelab.evaluation.measured import measured
    from imagelab.evaluation.members import load_members
    from imagelab.evaluation.one_pass import probabilities
    from imagelab.evaluation.one_run import data_of, device_of, here

    screen.keep(Path(os.devnull))  # after the imports, since Lightning's takes hold of the screen
    member = load_members([(folder, checkpoint)], None)[0]
    cfg = here(files.read_config(folder), None)
    known = member.predictor
    data = data_of(cfg, {"preprocess": known.preprocess.to_dict(), "classes": known.classes}, "val")
    size = min(data.batch_size, data.counts["val"])
    device = device_of(cfg["trainer"])
    said = probabilities([member], data, "val", tta=None, batch_size=size, device=device)[0]
    labels = torch.from_numpy(data.splits["val"].labels)
    task = cast(Predicting, build_task(cfg, data, ranks=1))  # `load_members` refuses what predicts nothing
    screen.release()
    return HeldOut(
        fold=cfg["data"]["fold"],
        classes=data.classes,
        names=data.named["val"].names,
        labels=labels.numpy(),
        probabilities=said.numpy(),
        predicted=task.decisions(said).numpy(),
        metrics=measured(said, labels, task)["metrics"],
        pool=data.counts["train"] + data.counts["val"],
    )


def table(held: Sequence[HeldOut]) -> str:
    """A CSV file: each image once, with the probabilities of all classes.

    Raises:
        Problem: The folds are not those of one set of images: it has changed between the runs.
    """
    names = [name for one in held for name in one.names]
    if len(set(names)) < len(names) or any(one.pool != len(names) for one in held):
        raise Problem(
            f"the runs held out {len(set(names)):,} different images in {len(names):,} predictions, of "
            f"{max(one.pool for one in held):,}: the images have changed since the first run; begin anew"
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
