"""Counts of pairs are those of a table written by hand, and the worst pairs come first."""

import numpy as np

from imagelab.evaluation.confusion import Pair, busiest, confusion, most_confused

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
PREDICTED = np.array([0, 0, 1, 1, 1, 0, 2, 2, 0, 0])
COUNTS = [[2, 2, 0], [1, 1, 0], [2, 0, 2]]


def test_rows_are_given_and_columns_predicted_classes():
    found = confusion(LABELS, PREDICTED, classes=4)
    assert found[:3, :3].tolist() == COUNTS
    assert found.sum() == len(LABELS)
    assert not found[3].any()


def test_it_agrees_with_scikit_learn_on_many_images():
    from sklearn.metrics import confusion_matrix

    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 7, (2, 1000))
    assert (confusion(labels, predicted, classes=7) == confusion_matrix(labels, predicted)).all()


def test_the_most_confused_pairs_come_first_without_correct_images():
    found = most_confused(np.array(COUNTS), top=5)
    assert found == [Pair(0, 1, 2, 0.5), Pair(2, 0, 2, 0.5), Pair(1, 0, 1, 0.5)]
    assert most_confused(np.array(COUNTS), top=1) == found[:1]
    assert most_confused(np.eye(3, dtype=int), top=3) == []


def test_with_many_classes_those_with_most_mistakes_are_shown():
    counts = 10 * np.eye(50, dtype=int)
    counts[7, 31], counts[44, 7] = 5, 2
    assert busiest(counts, most=3).tolist() == [7, 31, 44]
    assert busiest(counts[:2, :2], most=30).tolist() == [0, 1]


def test_of_equally_many_mistakes_those_of_the_smaller_class_come_first():
    counts = np.array([[6, 2, 0], [0, 4, 0], [2, 0, 2]])
    assert most_confused(counts, top=2) == [Pair(2, 0, 2, 0.5), Pair(0, 1, 2, 0.25)]
