"""Metrics that are no numbers do not pass for equal ones."""

import math

import pytest

from imagelab.checks.metrics import comparison, farther


@pytest.mark.parametrize(("before", "now"), [(0.0, math.nan), (math.nan, 0.0), (math.nan, 1.0)])
def test_nan_is_farther_than_any_number(before, now):
    assert math.isnan(farther(before, now))


@pytest.mark.parametrize("broken", [{"loss": math.nan}, {"loss": math.inf, "accuracy": 0.0}])
def test_a_metric_that_is_no_number_fails(broken):
    found = comparison(broken, 0.0, dict.fromkeys(broken, 1.0), "200 images")
    assert found.status == "FAIL"
    assert found.why == "the outputs or metrics of validation are NaN or infinite"
    assert comparison({"loss": 0.0}, math.nan, {"loss": 1.0}, "200 images").status == "FAIL"
    assert comparison({"loss": 0.0}, 0.0, {"loss": 1.0}, "200 images").status == "OK"


@pytest.mark.parametrize(("outputs", "status"), [(0.0, "FAIL"), (5e-4, "WARN")])
def test_metrics_may_differ_by_as_much_as_their_outputs_do(outputs, status):
    found = comparison({"loss": 4e-3}, outputs, {"loss": 1.0}, "200 images")
    assert found.status == status
    assert ("other labels" in found.why) == (status == "FAIL")
