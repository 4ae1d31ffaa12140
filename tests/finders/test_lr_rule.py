"""The rule of the range test on synthetic curves with a known answer."""

import numpy as np
import pytest

from imagelab.finders.lr_range import ladder
from imagelab.finders.lr_rule import (
    MARGIN,
    SEEN,
    Curve,
    diverges,
    minimum_tenth,
    steepest,
    suggested,
    valley,
)

RATES = ladder(1e-7, 10.0, 100)


def made(middle=1e-2, back=1.0, *, fall=1.5, noise=0.02, width=0.25, seed=0, steps=100):
    """2.3, falling in an S around a rate, then rising without end."""
    rates = np.array(ladder(1e-7, 10.0, steps))
    falling = fall / (1 + (middle / rates) ** (1 / width))
    losses = 2.3 - falling + np.minimum((rates / back) ** 4, 1e9)
    losses += noise * np.random.default_rng(seed).standard_normal(steps)
    return Curve(rates=list(rates), losses=list(losses), steps=steps)


def test_the_standard_error_is_that_of_smoothed_noise():
    curves = [made(middle=1e9, back=1e9, noise=0.5, seed=seed) for seed in range(60)]
    inside = np.concatenate([curve.smooth[10:-10] for curve in curves])
    assert np.mean([curve.error for curve in curves]) == pytest.approx(inside.std(), rel=0.1)


@pytest.mark.parametrize("middle", [1e-4, 3e-3, 1e-1])
@pytest.mark.parametrize("steps", [100, 300])
def test_the_suggestion_is_where_four_fifths_of_the_fall_are_made(middle, steps):
    # Of an S of this width, 80% are at 4 ** 0.25 times its middle.
    for seed in range(5):
        curve = made(middle=middle, back=1e3, seed=seed, steps=steps)
        assert np.log10(suggested(curve)) == pytest.approx(np.log10(middle * 4**0.25), abs=0.1)


def test_the_suggestion_stays_well_below_divergence():
    curve = made(middle=0.1, back=0.4, width=0.1)
    assert suggested(curve) == diverges(curve) / MARGIN
    assert 0.2 < diverges(curve) < 0.8


def test_noise_does_not_count_as_learning_and_a_clear_fall_does():
    flat = [made(middle=1e9, back=1e9, noise=0.1, seed=seed) for seed in range(200)]
    assert sum(suggested(curve) is not None for curve in flat) <= 6
    falls = [made(noise=0.1, fall=0.4, seed=seed) for seed in range(50)]
    assert all(curve.seen >= SEEN and suggested(curve) for curve in falls)


def test_a_constant_loss_does_not_count_as_learning():
    same = Curve(rates=RATES, losses=[2.0] * 100, steps=100)
    assert (suggested(same), diverges(same)) == (None, None)


@pytest.mark.parametrize("end", [float("nan"), float("inf"), 1e30])
def test_a_non_finite_last_loss_does_not_hide_the_others(end):
    whole = made(back=1e9)
    cut = Curve(rates=whole.rates[:80], losses=[*whole.losses[:77], end, end, end], steps=100)
    assert suggested(cut) == pytest.approx(min(suggested(whole), diverges(cut) / MARGIN), rel=0.05)
    assert cut.rates[74] <= diverges(cut) <= cut.rates[77]
    assert diverges(whole) is None


def test_a_loss_that_falls_again_has_not_diverged():
    curve = made(middle=1e-4, back=1.0, noise=0.02)
    losses = list(curve.losses)
    losses[60:66] = [2.6] * 6  # back above the start for a while, at 0.7e-2
    noisy = Curve(rates=curve.rates, losses=losses, steps=100)
    assert diverges(noisy) == diverges(curve) > 0.5


def test_divergence_is_detected_without_learning_too():
    rates = np.array(RATES)
    losses = 2.3 + 0.02 * np.random.default_rng(0).standard_normal(100) + np.minimum((rates / 0.1) ** 3, 50)
    curve = Curve(rates=RATES, losses=list(losses), steps=100)
    assert suggested(curve) is None
    assert 0.03 < diverges(curve) < 0.2


def test_the_other_rules_find_the_point_in_their_name():
    curve = made(middle=1e-2, back=1.0, noise=1e-4)
    assert np.log10(steepest(curve)) == pytest.approx(-2, abs=0.1)
    assert np.log10(minimum_tenth(curve)) == pytest.approx(np.log10(curve.rates[curve.lowest]) - 1)
    assert 1e-7 < valley(curve) < curve.rates[curve.lowest]
