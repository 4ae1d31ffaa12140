# room: detection
import numpy as np
import pytest

from imagelab.box_labels import there
from imagelab.data.arrays import Arrays
from imagelab.data.digits import Digits
from imagelab.data.scenes import NOISE, Scenes
from imagelab.problem import Problem

SCENES = Scenes(count=40, side=64, most=4, seed=0)


def part(split: str) -> Arrays:
    images = SCENES.splits[split]
    assert isinstance(images, Arrays)
    return images


def test_all_that_is_brighter_than_noise_lies_in_boxes_which_it_fills_to_their_edges():
    images, labels = part("train").images[:, 0].numpy(), part("train").labels
    for image, rows in zip(images, labels, strict=True):
        outside = image.copy()
        for box in rows[there(rows)]:
            left, top, right, bottom = box[1:5].astype(int)
            inside = image[top:bottom, left:right]
            outside[top:bottom, left:right] = 0
            assert (inside >= NOISE).sum() > 0.1 * inside.size
        assert outside.max() < NOISE


def test_numbers_of_digits_range_from_none_to_the_most_and_no_boxes_overlap():
    labels = part("train").labels
    counts = there(labels).sum(axis=1)
    assert set(counts.tolist()) == {0, 1, 2, 3, 4}
    for rows in labels:
        boxes = rows[there(rows), 1:5]
        first, last = (
            np.maximum(boxes[:, None, :2], boxes[:, :2]),
            np.minimum(boxes[:, None, 2:], boxes[:, 2:]),
        )
        shared = (last - first).clip(0).prod(axis=2)
        assert np.count_nonzero(shared) == len(boxes)  # each with itself


def test_splits_draw_from_different_digits_and_a_seed_draws_the_same_scenes_again():
    again = Scenes(count=40, side=64, most=4, seed=0).splits["val"]
    other = Scenes(count=40, side=64, most=4, seed=1).splits["val"]
    assert np.array_equal(again.labels, part("val").labels)
    assert not np.array_equal(other.labels, part("val").labels)
    assert len(part("val")) == len(part("test")) == 8
    assert SCENES.classes == Digits().classes


def test_scenes_that_no_digit_fits_in_are_refused():
    with pytest.raises(Problem, match=r"data\.side: wants 32 pixels or more, so that digits fit in, got 31"):
        Scenes(count=1, side=31, most=1, seed=0)
