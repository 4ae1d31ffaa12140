"""Images are sorted by loss, or by the confidence of the mistake."""

import numpy as np
import pytest

from imagelab.evaluation.mistakes import confident_mistakes, losses, top_losses

PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.05, 0.95], [0.0, 1.0]])
LABELS = np.array([0, 0, 0, 0, 1])


def test_the_loss_is_minus_the_logarithm_of_the_probability_of_the_given_class():
    assert losses(PROBABILITIES, LABELS) == pytest.approx(-np.log([0.9, 0.2, 0.6, 0.05, 1.0]))
    assert np.isfinite(losses(PROBABILITIES, 1 - LABELS)).all()


def test_the_highest_losses_come_first():
    assert top_losses(PROBABILITIES, LABELS, top=3).tolist() == [3, 1, 2]


def test_only_mistakes_are_confident_mistakes():
    assert confident_mistakes(PROBABILITIES, PROBABILITIES.argmax(1), LABELS, top=9).tolist() == [3, 1]
    assert confident_mistakes(PROBABILITIES, PROBABILITIES.argmax(1), LABELS, top=1).tolist() == [3]
