"""Hold the outcome of an evaluation, and make its table of predictions."""

import io
from typing import Any, NamedTuple

from torch import Tensor

from imagelab.config.schema import Node
from imagelab.runs.csv_cells import Writer
from imagelab.task.contract import Predicting


class Outcome(NamedTuple):
    """The outcome of an evaluation.

    content: Content of evaluation.json. table: Content of evaluation.csv, if requested. shown: Screen output.
    """

    content: Node
    table: str | None
    shown: list[Any]


def prediction_table(data: Any, split: str, predictions: Tensor, task: Predicting) -> str:
    """The content of a CSV file: one row per image in the order of the split, with its full prediction.

    Args:
        data: Data with the images.
        split: Predicted split.
        predictions: Prediction for each image, (N, K).
        task: Task that defines the predictions.
    """
    named = data.named[split]
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    writer.writerow(["file", "given", "predicted", *task.names])
    decisions = task.decisions(predictions).tolist()
    labels = named.labels.tolist()
    for name, label, decision, row in zip(named.names, labels, decisions, predictions, strict=True):
        values = [f"{value:.6f}" for value in row.tolist()]
        writer.writerow([name, task.wording(label), task.wording(decision), *values])
    return out.getvalue()
