import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from imagelab.inspection.held_out import FOLDS, folds, held_out
from imagelab.inspection.label_errors import margins
from imagelab.inspection.patch_features import patch_features
from imagelab.problem import Problem


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(np.round(images * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8))
    return patch_features(pixels, seed=0), labels


@pytest.mark.parametrize("seed", range(2))
def test_flipped_labels_of_digits_come_first(digits, seed: int) -> None:
    features, true = digits
    rng = np.random.default_rng(seed)
    flipped = rng.permutation(len(true))[: round(0.05 * len(true))]
    labels = true.copy()
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, len(flipped))) % 10
    found = held_out(features, labels, classes=10, groups=None, seed=seed)
    order = np.argsort(margins(found.probabilities, labels), kind="stable")
    first = set(order[: round(0.07 * len(true))].tolist())
    assert len(first & set(flipped.tolist())) / len(flipped) > 0.95
    assert found.probabilities.sum(axis=1) == pytest.approx(1)


def test_no_image_is_predicted_by_a_model_that_has_seen_it_or_its_copy() -> None:
    rng = np.random.default_rng(0)
    once = rng.normal(size=(200, 400)).astype(np.float32)
    features, groups = np.repeat(once, 2, axis=0), np.repeat(np.arange(200), 2)
    labels = np.repeat(rng.integers(0, 2, 200), 2)  # noise: only who has seen a copy can be right
    apart = held_out(features, labels, classes=2, groups=groups, seed=0)
    split = held_out(features, labels, classes=2, groups=None, seed=0)
    assert (apart.fold[::2] == apart.fold[1::2]).all()
    assert (apart.probabilities.argmax(axis=1) == labels).mean() < 0.6
    assert (split.probabilities.argmax(axis=1) == labels).mean() > 0.6


def test_every_fold_has_each_class_in_its_share() -> None:
    labels = np.repeat([0, 1], [80, 20])
    fold = folds(labels, None, seed=0)
    counts = [np.bincount(labels[fold == number]).tolist() for number in range(FOLDS)]
    assert counts == [[16, 4]] * FOLDS
    assert (fold == folds(labels, None, seed=0)).all()
    assert (fold != folds(labels, None, seed=1)).mean() > 0.5


def test_a_class_of_one_image_has_no_probability_where_it_is_held_out() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2])
    features = np.random.default_rng(0).normal(size=(41, 4)).astype(np.float32)
    assert held_out(features, labels, classes=3, groups=None, seed=0).probabilities[40, 2] == 0


def test_too_few_images_are_refused() -> None:
    with pytest.raises(Problem, match="6 images of 2 classes are too few"):
        held_out(np.zeros((6, 2)), np.array([0, 1] * 3), classes=2, groups=None, seed=0)
