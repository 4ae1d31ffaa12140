"""A smoothed curve is neither late nor bent at its ends, and does without what is missing."""

import numpy as np
import pytest

from imagelab.metrics.smoothing import smooth


def test_smoothing_delays_nothing_the_answer_to_a_peak_lies_around_it():
    peak = np.zeros(101)
    peak[50] = 1.0
    answer = smooth(peak, 2.0)
    np.testing.assert_allclose(answer, answer[::-1], atol=1e-15)
    assert (answer.argmax(), answer.sum()) == (50, pytest.approx(1.0))
    step = smooth((np.arange(101) >= 50).astype(float), 2.0)
    assert (step[49] + step[50]) / 2 == pytest.approx(0.5)
    spread = np.sqrt((answer * (np.arange(101) - 50) ** 2).sum())
    assert spread == pytest.approx(2.0, rel=1e-3)


def test_smoothing_keeps_what_is_level_up_to_the_ends():
    np.testing.assert_allclose(smooth(np.full(20, 3.0), 2.0), 3.0)


def test_what_is_missing_stays_missing_and_counts_for_nothing():
    gappy = np.where(np.arange(30) % 3 == 1, np.nan, 2.0)
    answer = smooth(gappy, 2.0)
    assert np.isnan(answer[1::3]).all()
    np.testing.assert_allclose(answer[::3], 2.0)
