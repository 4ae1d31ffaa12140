import json

import numpy as np
import pytest

from imagelab.inspection.label_errors import confident_errors, margins, suggestions
from tests.conftest import archive_folder

TRUTH = archive_folder() / "cifar10_truth"
SHARES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])


def test_the_margin_is_that_of_the_given_label_over_the_best_other() -> None:
    labels = np.array([0, 0, 1, 2])
    assert margins(SHARES, labels) == pytest.approx([0.5, -0.7, -0.2, 0.4])
    assert suggestions(SHARES, labels).tolist() == [1, 1, 0, 0]


def test_an_error_is_confident_if_another_class_is_likelier_than_for_its_own_images() -> None:
    # Thresholds: mean own probability of the images given as 0: 0.4, as 1: 0.3, as 2: 0.6.
    assert confident_errors(SHARES, np.array([0, 0, 1, 2])).tolist() == [False, True, True, False]


def test_a_class_without_images_is_never_confident() -> None:
    assert not confident_errors(np.array([[0.1, 0.9], [0.2, 0.8]]), np.array([0, 0])).any()


@pytest.mark.data
@pytest.mark.skipif(not TRUTH.is_dir(), reason=f"no {TRUTH}: public probabilities of CIFAR-10's test images")
def test_errors_that_people_confirmed_come_first() -> None:
    probabilities = np.load(TRUTH / "test_predicted_probabilities.npy")
    labels, asked = np.load(TRUTH / "test_labels.npy"), json.loads((TRUTH / "mturk.json").read_text())
    confirmed = {one["id"] for one in asked if 2 * one["mturk"]["given"] < sum(one["mturk"].values())}
    order = np.argsort(margins(probabilities, labels), kind="stable")
    assert len(confirmed) == 54
    assert len(confirmed & set(order[:275].tolist())) == 54
    assert len(confirmed & set(order[:100].tolist())) == 24
    assert confident_errors(probabilities, labels).sum() == 244
