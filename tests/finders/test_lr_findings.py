"""A range test without a usable curve ends in findings, and suggests nothing."""

import math

import pytest

from imagelab.finders.lr_findings import findings, override, picture, summary
from imagelab.finders.lr_range import ladder
from imagelab.finders.lr_rule import Curve

RATES = ladder(1e-7, 10.0, 100)
UNUSABLE = {
    "all NaN": [math.nan] * 100,
    "all infinite": [math.inf] * 100,
    "NaN at once": [2.3, math.nan],
    "NaN, then a fall": [*[math.nan] * 30, *[2.3 - 0.03 * step for step in range(70)]],
} | {f"{count} losses": [2.3, 2.2, 2.0, 1.7, math.nan][:count] for count in range(1, 6)}


@pytest.mark.parametrize("losses", UNUSABLE.values(), ids=UNUSABLE)
def test_without_enough_finite_losses_no_rate_is_suggested_and_nothing_is_raised(losses):
    curve = Curve(rates=RATES[: len(losses)], losses=losses, steps=100)
    found = {one.name: one for one in findings(curve, {"optimizer": {"lr": 0.003}}, {"all": 1.0})}
    assert override(curve) is None
    finite = sum(map(math.isfinite, losses))
    assert f"{finite} of {len(losses)} losses are finite" in summary(curve)
    assert (found["suggested rate"].status, found["suggested rate"].value) == ("WARN", None)
    assert (found["configured rate"].status, found["configured rate"].fix) == ("INFO", "")
    assert "<svg" in picture(curve, 0.003)
