"""Curves by class agree with what they are defined as, and thresholds are the best ones."""

import numpy as np
import pytest

from imagelab.evaluation.predictions import Predictions
from imagelab.metrics.class_curve import class_curve
from imagelab.reports.class_curves import curve_section
from imagelab.task.classify import Classify

THERE = np.array([True, True, False, True, False, False])
SHARES = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])


def test_areas_and_threshold_by_hand():
    found = class_curve(1, SHARES, THERE)
    assert found.auroc == pytest.approx(8 / 9)  # of 9 pairs one is in the wrong order
    assert found.ap == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert (found.images, found.threshold) == (3, 0.6)
    assert (found.precision, found.recall) == (pytest.approx(3 / 4), 1)
    assert found.f1 == pytest.approx(6 / 7)


def test_the_section_draws_each_class_and_leaves_out_those_without_images():
    outputs = np.log(np.stack([1 - SHARES, SHARES, np.full(6, 1e-9)], axis=1))
    task = Classify(loss=lambda *_: None, classes=["ant", "bee", "cat"])
    said = {"split": "val", "weights": "raw", "names": np.empty(0, str), "images": None}
    labels = THERE.astype(np.int64)
    found = Predictions(outputs=outputs, labels=labels, task=task, classes=task.names, **said)
    (section,) = curve_section(found)
    assert section.body.count("<svg") == 2
    assert "ant" in section.body
    assert "cat" not in section.body
