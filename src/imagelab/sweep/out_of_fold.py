"""Predict the held-out images of each run of a cross-validation."""

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.runs.csv_cells import Writer
from imagelab.task.contract import Placing
from imagelab.terminal import screen

COLUMNS = ("file", "label", "fold", "predicted")


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """One fold, predicted by the run that held it out.

    Args:
        fold: Number of the fold.
        names: Names of the images, (N,): file, or split and index.
        labels: True labels, (N, ...).
        predictions: Predictions, (N, K), such as probabilities.
        predicted: Predicted classes, (N,) int64, or values.
        task: Task of the run, with its loss.
        metrics: Metrics by name, such as "accuracy".
        pool: Number of images in all folds together.
    """

    fold: int
    names: list[str]
    labels: np.ndarray
    predictions: np.ndarray
    predicted: np.ndarray
    task: Any
    metrics: dict[str, float]
    pool: int


def predict_fold(folder: Path, checkpoint: str) -> HeldOut:
    """Let a run predict the fold that it held out.

    Raises:
        Problem: If its checkpoint or its images no longer exist.
    """
    import torch

    from imagelab.evaluation.measured import judge, measured
    from imagelab.evaluation.members import load_members
    from imagelab.evaluation.one_pass import probabilities
    from imagelab.evaluation.one_run import data_of, device_of, here

    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    member = load_members([(folder, checkpoint)], None)[0]
    if isinstance(member.predictor.task, Placing):
        raise Problem("the table has no columns for boxes; each run has measured its own fold")
    cfg = here(files.read_config(folder), None)
    data = data_of(cfg, member.card, "val")
    size = min(data.batch_size, data.counts["val"])
    device = device_of(cfg["trainer"])
    found = probabilities([member], data, "val", tta=None, batch_size=size, device=device)[0]
    labels = torch.from_numpy(data.splits["val"].labels)
    task = judge(cfg, data, [member])
    screen.release()
    return HeldOut(
        fold=cfg["data"]["fold"],
        names=data.named["val"].names,
        labels=labels.numpy(),
        predictions=found.numpy(),
        predicted=task.decisions(found).numpy(),
        task=task,
        metrics=measured(found, labels, task)["metrics"],
        pool=data.counts["train"] + data.counts["val"],
    )


def pooled(held: Sequence[HeldOut], metric: str) -> float:
    """A metric of all folds together, each predicted by its own run."""
    import torch

    task = held[0].task
    predictions, labels = (
        torch.from_numpy(np.concatenate([getattr(one, name) for one in held]))
        for name in ("predictions", "labels")
    )
    return float(task.metrics(task.as_outputs(predictions), labels)[metric])


def table(held: Sequence[HeldOut]) -> str:
    """The content of out_of_fold.csv: one row per image, with its whole prediction.

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
    writer.writerow([*COLUMNS, *held[0].task.names])
    for one in held:
        parts = one.labels.tolist(), one.predicted.tolist(), one.predictions
        for name, label, guess, row in zip(one.names, *parts, strict=True):
            numbers = [f"{value:.6f}" for value in row]
            writer.writerow([name, one.task.wording(label), one.fold, one.task.wording(guess), *numbers])
    return out.getvalue()
