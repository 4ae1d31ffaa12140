# room: detection, exporting
import numpy as np
import pytest

from imagelab.metrics.box_distance import distance

EMPTY = [-1.0] + [0.0] * 5
ROWS = np.array([[[1, 0, 0, 10, 10, 0.9], [0, 5, 5, 20, 20, 0.6], [1, 8, 8, 16, 16, 0.5], EMPTY]])


def changed(row: int, column: int, value: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[0, row, column] = value
    return rows


@pytest.mark.parametrize(
    ("found", "apart"),
    [
        (ROWS, 0),
        (ROWS[:, [1, 0, 2, 3]], 0),  # in another order
        (changed(0, 3, 13), 3 / 100),  # of a side
        (changed(1, 5, 0.65), 0.05),
        (changed(0, 0, 0), 0.9 - 0.5),  # another class: without a partner
        (changed(1, 0, -1), 0.6 - 0.5),  # lost
        (changed(2, 0, -1), 0),  # the last one fell below the least score
        (np.full_like(ROWS, -1), 0.9),  # finds nothing
        (changed(0, 5, np.nan), np.nan),
    ],
)
def test_the_distance_is_the_largest_of_rows_that_belong_together(found, apart):
    assert distance(found, ROWS, 100) == pytest.approx(apart, nan_ok=True)
    assert distance(ROWS, found, 100) == pytest.approx(apart, nan_ok=True)


def test_images_in_which_both_find_nothing_do_not_differ():
    assert distance(np.full((2, 3, 6), -1.0), np.full((2, 3, 6), -1.0), 64) == 0
