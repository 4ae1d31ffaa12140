"""The time per phase is reported, with a remedy if it is worth one."""

import pytest

from imagelab.config.compose import compose
from imagelab.reports.time_shares import time_finding

PHASES = ("loading", "forward", "backward", "optimizer", "validation", "rest")


def status_and_fix(*seconds: float, words: tuple[str, ...] = ()) -> tuple[str, str]:
    found = time_finding(dict(zip(PHASES, seconds, strict=True)), compose("train", list(words)).cfg or {})
    return found.status, found.fix


def test_a_short_training_needs_no_advice():
    assert status_and_fix(1, 2, 3, 0, 1, 0) == ("INFO", "")


@pytest.mark.parametrize(
    ("seconds", "fix"),
    [
        ((50, 20, 20, 1, 5, 4), "data.workers"),
        ((5, 20, 20, 1, 50, 4), "data.val_fraction"),
        ((5, 20, 20, 1, 5, 50), "save_every"),
    ],
)
def test_the_largest_phase_besides_computing_is_the_one_to_shorten(seconds, fix):
    status, told = status_and_fix(*seconds)
    assert status == "WARN"
    assert fix in told


def test_half_precision_is_suggested_only_on_a_gpu():
    assert "precision=bf16-mixed" in status_and_fix(1, 50, 50, 1, 1, 1, words=("trainer=gpu",))[1]
    assert "precision" not in status_and_fix(1, 50, 50, 1, 1, 1, words=("trainer=cpu",))[1]
