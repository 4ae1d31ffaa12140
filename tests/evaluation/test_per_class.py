"""Intervals are Wilson's, and the metrics of each class follow their textbook definitions."""

import math

import numpy as np
import pytest

from imagelab.evaluation.per_class import per_class, wilson


def test_the_interval_is_the_published_one():
    assert wilson(145, 153) == pytest.approx((0.9002, 0.9732), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)  # Brown, Cai & DasGupta
    assert wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    assert wilson(0, 0) == (0, 1)


def test_the_interval_covers_the_truth_in_about_95_of_100_samples():
    rng = np.random.default_rng(0)
    for truth, images in ((0.9, 30), (0.5, 100), (0.98, 200)):
        ends = [wilson(int(hits), images) for hits in rng.binomial(images, truth, 2000)]
        assert 0.92 < np.mean([low <= truth <= high for low, high in ends]) < 0.985


def test_precision_recall_and_f1_agree_with_scikit_learn():
    from sklearn.metrics import precision_recall_fscore_support

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 400)
    predicted = np.where(rng.random(400) < 0.7, labels, rng.integers(0, 5, 400))
    counts = np.zeros((5, 5), int)
    np.add.at(counts, (labels, predicted), 1)
    wanted = precision_recall_fscore_support(labels, predicted)
    rows = per_class(counts)
    found = [[row.precision for row in rows], [row.recall for row in rows], [row.f1 for row in rows]]
    assert np.allclose(found, wanted[:3])
    assert [row.images for row in rows] == np.bincount(labels).tolist()
    assert all(row.recall_interval[0] < row.recall < row.recall_interval[1] for row in rows)


def test_a_class_without_images_or_predictions_has_no_fraction():
    row = per_class(np.array([[3, 0], [0, 0]]))[1]
    assert math.isnan(row.recall)
    assert math.isnan(row.precision)
    assert row.recall_interval == (0, 1)
