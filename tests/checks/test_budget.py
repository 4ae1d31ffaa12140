# room: checks
"""What a check may train is counted in operations, so that a busy machine finds the same."""

import time

import pytest
from torch import nn

from imagelab.check import summary
from imagelab.checks.run import OF_CLASSES, run, training_checks
from imagelab.checks.subject import SECOND
from tests.zoo import DIGITS, KINDS, subject


def test_the_work_per_image_is_that_of_three_forward_passes():
    checked = subject([*DIGITS, *KINDS["A"]])
    checked.classifier.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 10))
    multiply_adds = 4 * 9 * 6 * 6 + 4 * 6 * 6 * 10
    assert checked.seconds_per_image == pytest.approx(3 * multiply_adds / SECOND)
    assert checked.afford(images=10) == int(30 / (3 * multiply_adds / SECOND * 10))


def test_no_clock_decides(monkeypatch):
    words = ["data=digits", "model=small_cnn", "data.batch_size=64", "model.widths=[4,4]"]
    one = run(subject(words, seconds=0.002), fast=False, only=("overfit one batch", "larger sample"))
    later = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(later)))
    other = run(subject(words, seconds=0.002), fast=False, only=("overfit one batch", "larger sample"))
    assert [(a.status, a.value, a.why) for a in one] == [(b.status, b.value, b.why) for b in other]
    assert other[0].seconds >= 1000  # the clock did run away


def test_what_is_left_out_is_named_in_the_last_line():
    checked = subject([*DIGITS, *KINDS["A"]], seconds=1e-4)
    found = run(checked, fast=False, only=("overfit one batch", "larger sample"))
    assert summary(found, skipped=()) == "Nothing failed. Left out: overfit one batch, larger sample."
    assert all("set seconds=" in one.why for one in found)
    assert summary([], skipped=["overfit one batch", "learning rate"]).endswith(
        "Left out: overfit one batch, learning rate."
    )
    assert summary([], skipped=()) == "All checks passed."


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([*DIGITS, *KINDS["A"]], [*OF_CLASSES]),
        (["task=detect", "data.count=16"], ["boxes memorised"]),  # room: detection
        ([*DIGITS, "task=autoencoder"], []),
    ],
)
def test_only_checks_that_apply_to_the_task_are_said_to_be_left_out(words, names):
    assert [*training_checks(subject(words))] == names
