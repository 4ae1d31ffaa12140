"""The peak rate by the effective batch."""

import pytest

from imagelab.optimizer.lr_scaling import scaled_lr


@pytest.mark.parametrize(("rule", "expected"), [("none", 0.1), ("linear", 1.6), ("sqrt", 0.4)])
def test_the_rate_follows_the_rule(rule, expected):
    assert scaled_lr(0.1, rule, effective_batch=4096, base_batch=256) == pytest.approx(expected)


@pytest.mark.parametrize(("rule", "expected"), [("none", 0.1), ("linear", 0.025), ("sqrt", 0.05)])
def test_a_smaller_batch_has_a_smaller_rate(rule, expected):
    assert scaled_lr(0.1, rule, effective_batch=64, base_batch=256) == pytest.approx(expected)


@pytest.mark.parametrize("rule", ["none", "linear", "sqrt"])
def test_the_base_batch_keeps_the_rate(rule):
    assert scaled_lr(0.1, rule, effective_batch=64, base_batch=64) == 0.1
