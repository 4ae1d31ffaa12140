# room: detection
"""Boxes that frame something are told from others, and each way of misreading them is named."""

from collections.abc import Callable

import numpy as np
import pytest

from imagelab.box_labels import CORNERS, there
from imagelab.data.box_signal import FEWEST, GIVEN, RESIZED, WAYS, better_way, box_signal_finding, box_signals
from imagelab.data.scenes import Scenes

SIDE = 64
IMAGES = Scenes(count=60, side=SIDE, most=8, seed=1).splits["train"]
PIXELS = IMAGES.images.numpy().transpose(0, 2, 3, 1)  # type: ignore[attr-defined]
SIZES = np.full((60, 2), SIDE)
# How boxes come to be misread that should be read in this way.
WRITTEN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "top, left, bottom, right": lambda boxes: boxes[:, [1, 0, 3, 2]],
    "left, top, width, height": lambda boxes: np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]),
    "middle, width, height": lambda boxes: np.hstack(
        [(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]]
    ),
    "shares of width and height": lambda boxes: boxes / SIDE,
    "mirrored": lambda boxes: np.column_stack(
        [SIDE - boxes[:, 2], boxes[:, 1], SIDE - boxes[:, 0], boxes[:, 3]]
    ),
    "upside down": lambda boxes: np.column_stack(
        [boxes[:, 0], SIDE - boxes[:, 3], boxes[:, 2], SIDE - boxes[:, 1]]
    ),
}


def written(way: Callable[[np.ndarray], np.ndarray], labels: np.ndarray = IMAGES.labels) -> np.ndarray:
    changed = labels.copy()
    for rows in changed:
        rows[there(rows), CORNERS] = way(rows[there(rows), CORNERS])
    return changed


def test_every_way_has_a_mistake_that_it_undoes():
    assert {GIVEN, *WRITTEN} == {*WAYS}
    boxes = np.array([[3.0, 5, 20, 30]])
    for name, wrong in WRITTEN.items():
        assert WAYS[name](wrong(boxes), SIDE, SIDE) == pytest.approx(boxes)


def test_boxes_in_their_places_pass_and_those_of_other_images_are_a_warning():
    right = box_signals(PIXELS, IMAGES.labels, SIZES)
    assert right[GIVEN].z > 15
    assert box_signal_finding(right).status == "OK"
    others = box_signals(PIXELS, np.roll(IMAGES.labels, 1, axis=0), SIZES)
    assert abs(others[GIVEN].z) < 4
    assert box_signal_finding(others).status == "WARN"


@pytest.mark.parametrize("way", WRITTEN)
def test_a_mistake_is_named(way):
    found = box_signals(PIXELS, written(WRITTEN[way]), SIZES)
    assert better_way(found) == way
    assert box_signal_finding(found).status == "FAIL"


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.65, 0.85)])
def test_boxes_of_smaller_images_are_named(shares):
    wide = np.array([*shares, *shares])
    found = box_signals(PIXELS, written(lambda boxes: boxes * wide), SIZES)
    assert better_way(found) == RESIZED
    assert "smaller image" in box_signal_finding(found).fix
    assert RESIZED not in box_signals(PIXELS, IMAGES.labels, SIZES)


def test_few_images_tell_nothing():
    few = FEWEST // 2
    assert box_signal_finding(box_signals(PIXELS[:few], IMAGES.labels[:few], SIZES[:few])).status == "INFO"
