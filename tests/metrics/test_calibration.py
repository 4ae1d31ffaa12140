"""The calibration error is that of torchmetrics, its interval covers, a planted temperature is found."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_calibration_error

from imagelab.metrics import calibration as module
from imagelab.metrics.calibration import (
    EDGES,
    calibration,
    confidences,
    expected_error,
    fit_temperature,
    interval_of,
    reliability,
)


def drawn(images: int, temperature: float, seed: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `temperature` times too large, and labels drawn from the true probabilities."""
    rng = np.random.default_rng(seed)
    logits = 2.5 * rng.standard_normal((images, classes))
    labels = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    return (temperature * logits).astype(np.float32), labels


@pytest.mark.parametrize(("images", "temperature"), [(50, 1.0), (500, 2.0), (5000, 0.5)])
def test_the_error_is_that_of_torchmetrics(images, temperature):
    logits, labels = drawn(images, temperature, seed=images)
    probabilities = softmax(logits, axis=1)
    wanted = multiclass_calibration_error(
        torch.from_numpy(probabilities).float(), torch.from_numpy(labels), 10, n_bins=15
    )
    assert expected_error(*confidences(probabilities, labels)) == pytest.approx(float(wanted), abs=2e-6)


def test_a_certain_answer_has_a_bin_of_its_own_as_in_torchmetrics():
    sure, right = np.array([1.0, 0.95, 0.95]), np.array([False, True, True])
    assert expected_error(sure, right) == pytest.approx((1 + 0.1) / 3, abs=1e-6)


@pytest.mark.parametrize(("temperature", "error"), [(1.0, 0.0), (1.066, 0.02), (1.18, 0.05)])
def test_a_95_percent_interval_covers_the_error_of_all_images_in_95_percent_of_samples(temperature, error):
    logits, _ = drawn(100_000, 1.0, seed=0)
    probabilities, sure = softmax(logits, axis=1), softmax(temperature * logits, axis=1)
    confidence = sure.max(axis=1)
    chance = probabilities[np.arange(len(sure)), sure.argmax(axis=1)]  # of being right
    places = np.searchsorted(EDGES, confidence, side="right")
    truth = np.abs(np.bincount(places, chance - confidence)).sum() / len(sure)
    assert truth == pytest.approx(error, abs=0.002)
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(1000):
        some = rng.integers(len(sure), size=2000)
        low, high = interval_of(confidence[some], rng.random(2000) < chance[some])
        covered.append(low <= truth <= high)
        assert high - low < 0.06
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize("right", [True, False])
def test_the_error_of_certain_answers_that_are_all_right_or_all_wrong_is_known(right):
    assert interval_of(np.ones(20), np.full(20, right)) == pytest.approx([1 - right] * 2, abs=1e-5)


@pytest.mark.parametrize("planted", [0.6, 1.0, 2.2])
def test_a_planted_temperature_is_found_again_and_mends_the_error_of_other_images(planted):
    logits, labels = drawn(6000, planted, seed=3)
    assert fit_temperature(logits, labels) == pytest.approx(planted, rel=0.06)
    found = calibration(logits, labels, seed=0)
    assert found.temperature == pytest.approx(planted, rel=0.08)
    assert found.after < 0.03
    assert planted == 1.0 or found.after < found.before / 3


@pytest.mark.parametrize(("planted", "helps"), [(1.0, False), (1.05, False), (2.2, True)])
def test_a_temperature_helps_only_beyond_the_interval_of_the_error_on_the_other_images(planted, helps):
    logits, labels = drawn(1000, planted, seed=6)
    found = calibration(logits, labels, seed=0)
    low, _ = interval_of(*(one[1::2] for one in confidences(softmax(logits, axis=1), labels)))
    assert found.helps == (found.after < low) == helps


def test_two_images_have_no_temperature_that_helps():
    assert not calibration(*drawn(2, 3.0, seed=6), seed=0).helps


def test_the_temperature_of_classes_that_alternate_is_fitted_on_both():
    logits, labels = drawn(6000, 1.0, seed=3, classes=2)
    order = np.stack([np.flatnonzero(labels == k)[:2000] for k in (0, 1)], axis=1).ravel()
    logits, labels = logits[order] * np.where(labels[order] == 0, 3.0, 1.0)[:, None], labels[order]
    assert (labels[:4] == [0, 1, 0, 1]).all()
    both = fit_temperature(logits, labels)
    assert calibration(logits, labels, seed=0).temperature == pytest.approx(both, rel=0.1)
    one = fit_temperature(logits[::2], labels[::2])
    assert one != pytest.approx(both, rel=0.2)


def test_the_bins_account_for_every_image_and_few_images_are_not_judged():
    logits, labels = drawn(999, 1.0, seed=4)
    found = calibration(logits, labels, seed=0)
    assert sum(one.images for one in found.bins) == 999
    assert not found.resolved
    total = sum(one.images * abs(one.accuracy - one.confidence) for one in found.bins) / 999
    assert total == pytest.approx(found.ece)
    assert found.interval[0] <= found.ece
    assert calibration(*drawn(1000, 1.0, seed=4), seed=0).resolved


def test_a_thousand_classes_take_a_moment_only():
    import time

    logits, labels = drawn(20_000, 1.3, seed=5, classes=300)
    start = time.process_time()
    assert calibration(logits, labels, seed=0).temperature == pytest.approx(1.3, rel=0.05)
    assert time.process_time() - start < 3


def test_the_temperature_is_judged_on_the_images_that_it_was_not_fitted_on(monkeypatch):
    logits, labels = drawn(400, 2.0, seed=7)
    fitted = []
    monkeypatch.setattr(module, "fit_temperature", lambda some, _: fitted.append(some) or 2.0)
    found = calibration(logits, labels, seed=0)
    rest = ~np.isin(logits[:, 0], fitted[0][:, 0])
    assert rest.sum() == 200
    for error, divisor in ((found.before, 1.0), (found.after, 2.0)):
        sure = confidences(softmax(logits[rest] / divisor, axis=1), labels[rest])
        assert error == pytest.approx(expected_error(*sure), abs=1e-6)


def test_a_bin_holds_its_lower_end_and_certainty_has_a_bin_of_its_own():
    confidence = np.array([EDGES[8], EDGES[8] + 0.01, 0.99, 1.0])
    assert [one[0] for one in reliability(confidence, np.array([1, 1, 1, 1]))] == [2, 1, 1]
