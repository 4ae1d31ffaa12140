# room: checks
"""Labels of val are compared with those of train by evidence, which few images cannot give."""

import numpy as np
import pytest
import torch

from imagelab.checks.val_labels import val_labels, votes
from tests.zoo import DIGITS, subject
from tests.zoo_bugs import relabel, shuffled


def test_a_vote_is_the_share_of_an_images_neighbours_with_a_label():
    pixels = torch.tensor([0, 10, 20, 200, 210, 220]).to(torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
    labels = np.array([0, 0, 1, 1, 1, 1])
    table = votes(pixels, labels, pixels, labels, 2, itself=True)
    assert table.tolist() == pytest.approx(np.array([[2 / 5, 8 / 5], [8 / 5, 12 / 5]]))
    assert table.sum() == len(labels)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (3, 5), (8, 9)])
def test_two_classes_that_change_places_in_val_are_named(one, other):
    checked = subject(DIGITS)
    relabel(checked, "val", lambda y: np.where(y == one, other, np.where(y == other, one, y)))
    found = val_labels(checked)
    assert found.status == "FAIL"
    assert found.value == f"{one} like {other}, {other} like {one}"


def test_shuffled_labels_are_not_called_renamed_classes():
    checked = subject(DIGITS)
    relabel(checked, "val", shuffled)
    found = val_labels(checked)
    assert (found.status, "shuffled" in found.why) == ("FAIL", True)


@pytest.mark.parametrize("seed", range(5))
def test_thirty_unlike_images_of_val_never_fail(seed):
    checked = subject(["data=digits", "model=small_cnn", "data.limit=300"])
    rng = np.random.default_rng(seed)
    noise = torch.from_numpy(rng.integers(0, 256, (300, 1, 8, 8), dtype=np.uint8))
    labels = rng.integers(0, 10, 300)
    checked.small = {
        "train": (noise[30:], labels[30:], np.arange(270)),
        "val": (noise[:30], labels[:30], np.arange(30)),
    }
    assert val_labels(checked).status == "INFO"


def test_val_from_other_conditions_is_not_taken_for_other_labels():
    checked = subject(DIGITS)
    pixels, labels, places = checked.small["val"]
    checked.small["val"] = (pixels // 4 + 180, labels, places)  # all the same kind of neighbours
    assert val_labels(checked).status != "FAIL"
