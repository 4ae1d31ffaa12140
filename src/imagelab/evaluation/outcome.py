"""What an evaluation found: a file of numbers, a table of predictions, something to look at."""

import io
from typing import Any, NamedTuple

from torch import Tensor

from imagelab.config.schema import Node
from imagelab.contracts import Predicting
from imagelab.runs.csv_cells import Writer


class Outcome(NamedTuple):
    """What an evaluation ends in.

    content: Of evaluation.json. table: Of evaluation.csv, where it was asked for. shown: On the terminal.
    """

    content: Node
    table: str | None
    shown: list[Any]


def prediction_table(data: Any, split: str, predictions: Tensor, task: Predicting) -> str:
    """A CSV file: a row for each image in the order of the split, with all numbers of its prediction.

    Args:
        data: The images.
        split: Which of them.
        predictions: Prediction for each of them, (N, K).
        task: What was learnt.
    """
    named = data.named[split]
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    writer.writerow(["file", "given", "predicted", *task.names])
    decisions = task.decisions(predictions).tolist()
    for name, label, decision, row in zip(named.names, named.labels, decisions, predictions, strict=True):
        values = [f"{value:.6f}" for value in row.tolist()]
        writer.writerow([name, task.wording(label), task.wording(decision), *values])
    return out.getvalue()
