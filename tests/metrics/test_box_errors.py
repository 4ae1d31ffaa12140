# room: detection
"""Each kind of error is planted in boxes made by hand, and exactly that one is found."""

import numpy as np
import pytest
import torch

from imagelab.box_labels import padded
from imagelab.metrics.box_errors import (
    BACKGROUND,
    BOTH,
    DUPLICATE,
    KINDS,
    LOCALISATION,
    MISSED,
    OTHER_CLASS,
    RIGHT,
    box_errors,
)
from tests.metrics.test_boxes import guesses, rows

TRUE = padded([np.array([[0, 10, 10, 30, 30], [1, 50, 50, 70, 70]]), np.array([[2, 0, 0, 20, 20]])])
PERFECT = [[(0, 10, 10, 30, 30, 0.9), (1, 50, 50, 70, 70, 0.8)], [(2, 0, 0, 20, 20, 0.7)]]
PLANTED = {  # kind -> one more box in the first image, whose IoU with an object is as it says
    LOCALISATION: (0, 20, 10, 40, 30, 0.6),  # 1/3 with its object
    OTHER_CLASS: (2, 10, 10, 30, 32, 0.6),  # 10/11 with an object of class 0
    BOTH: (2, 20, 10, 40, 30, 0.6),  # 1/3 with an object of class 0
    DUPLICATE: (0, 11, 10, 31, 30, 0.6),  # 19/21 with an object that is found
    BACKGROUND: (1, 90, 0, 99, 9, 0.6),
}


def of(images: list[list[tuple[float, ...]]]):
    return box_errors(torch.stack([rows(*boxes, count=5) for boxes in images]).numpy(), TRUE)


def test_perfect_boxes_have_no_errors():
    errors = of(PERFECT)
    assert errors.counts() == dict.fromkeys(KINDS, 0)
    assert errors.kinds.tolist() == [RIGHT] * 3
    assert errors.meant.tolist() == [0, 1, 2]
    assert errors.images.tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_error_is_the_only_one_and_of_its_kind(kind):
    errors = of([[*PERFECT[0], PLANTED[kind]], PERFECT[1]])
    assert errors.counts() == dict.fromkeys(KINDS, 0) | {kind: 1}
    assert errors.counts(least=0.7) == dict.fromkeys(KINDS, 0)
    assert errors.found.all()


def test_an_object_is_missed_unless_a_box_nearly_found_it():
    assert of([PERFECT[0][1:], PERFECT[1]]).counts() == dict.fromkeys(KINDS, 0) | {MISSED: 1}
    for kind in (LOCALISATION, OTHER_CLASS):
        errors = of([[*PERFECT[0][1:], PLANTED[kind]], PERFECT[1]])
        assert errors.counts() == dict.fromkeys(KINDS, 0) | {kind: 1}
        assert errors.found.tolist() == [False, True, True]
    for kind in (BOTH, BACKGROUND):
        errors = of([[*PERFECT[0][1:], PLANTED[kind]], PERFECT[1]])
        assert errors.counts() == dict.fromkeys(KINDS, 0) | {kind: 1, MISSED: 1}


def test_of_two_boxes_on_an_object_the_surer_one_is_right_even_if_it_fits_worse():
    errors = of([[(0, 10, 10, 30, 30, 0.5), (0, 12, 10, 32, 30, 0.9), PERFECT[0][1]], PERFECT[1]])
    right = errors.kinds == RIGHT
    assert errors.counts() == dict.fromkeys(KINDS, 0) | {DUPLICATE: 1}
    assert errors.rows[right][0, 1] == 12
    assert errors.overlaps[right][0] == pytest.approx(18 / 22)


def test_images_without_objects_and_without_boxes_are_told_apart():
    nothing = padded([np.empty((0, 5)), np.empty((0, 5))])
    found = torch.stack([rows((1, 0, 0, 9, 9, 0.5)), rows()]).numpy()
    errors = box_errors(found, nothing)
    assert errors.counts() == dict.fromkeys(KINDS, 0) | {BACKGROUND: 1}
    assert len(errors.found) == 0


def troubled() -> tuple[np.ndarray, np.ndarray]:
    """200 images with every kind of error."""
    rng = np.random.default_rng(5)
    exact, labels = guesses(200, seed=3)
    moved = exact.clone()
    moved[..., 1:5] += torch.from_numpy(rng.normal(0, 12, moved[..., 1:5].shape)).float()
    moved[..., 3:5] = torch.maximum(moved[..., 3:5], moved[..., 1:3] + 1)
    other = torch.from_numpy(rng.random(moved.shape[:2]) < 0.2) & (moved[..., 0] >= 0)
    moved[..., 0] = torch.where(other, (moved[..., 0] + 1) % 3, moved[..., 0])
    for part in (moved, exact):
        part[..., 5] = torch.from_numpy(rng.uniform(0, 1, part.shape[:2])).float()
    exact[100:] = -1
    return torch.cat([moved, exact], dim=1).numpy(), labels.numpy()


def test_the_counts_are_those_of_the_papers_own_code():
    counts = box_errors(*troubled()).counts()  # tidecv 1.0.1 says so
    assert counts == dict(zip(KINDS, (217, 61, 39, 139, 85, 75), strict=True))
