"""What a report says of images with classes: a table of all of them."""

import csv
import io

import numpy as np
import pytest

from imagelab.evaluation.predictions import of_split
from imagelab.reports.of_classes import COLUMNS, table_of
from tests.evaluation.test_predictions import COUNT, DATA, TASK, gathered


def test_the_table_has_a_row_for_each_image_the_highest_loss_first():
    found = of_split(DATA, "val", "raw", gathered(1), task=TASK, ranks=1)
    rows = list(csv.reader(io.StringIO(table_of(found))))
    assert tuple(rows[0]) == COLUMNS
    losses = [float(row[5]) for row in rows[1:]]
    assert losses == sorted(losses, reverse=True)
    second = next(row for row in rows if row[0] == "val/1")
    assert second[1:3] == ["b", "a"]
    assert float(second[5]) == pytest.approx(np.log(np.exp([1, -1, 0]).sum()) + 1, rel=1e-4)
    assert sorted(row[0] for row in rows[1:]) == sorted(f"val/{i}" for i in range(COUNT))
