"""What an evaluation found: a file of numbers, a table of predictions, something to look at."""

import csv
import io
from typing import Any, NamedTuple

import numpy as np

from imagelab.config.schema import Node


class Outcome(NamedTuple):
    """What an evaluation ends in.

    content: Of evaluation.json. table: Of evaluation.csv, where it was asked for. shown: On the terminal.
    """

    content: Node
    table: str | None
    shown: list[Any]


def prediction_table(data: Any, split: str, probabilities: np.ndarray) -> str:
    """A CSV file: a row for each image in the order of the split, with all probabilities (N, K).

    Args:
        data: The images.
        split: Which of them.
        probabilities: What was said of each.
    """
    named = data.named[split]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "given", "predicted", *data.classes])
    for name, label, row in zip(named.names, named.labels, probabilities, strict=True):
        values = [f"{value:.6f}" for value in row]
        writer.writerow([name, data.classes[label], data.classes[row.argmax()], *values])
    return out.getvalue()
