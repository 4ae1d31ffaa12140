"""When the stages begin to move, and at which rate, by what each strategy says."""

import pytest

from imagelab.finetune.discriminative import Discriminative
from imagelab.finetune.full import Full
from imagelab.finetune.gradual import Gradual
from imagelab.finetune.linear_probe import LinearProbe
from imagelab.finetune.top_half import TopHalf
from imagelab.finetune.two_phase import TwoPhase
from imagelab.problem import Problem

COMMON = {"decay": 0.5, "rewarm": 0.5, "norm": "train"}


def gradual(every, **changes):
    return Gradual(**(COMMON | {"every": every} | changes))


def top_half(head_epochs):
    return TopHalf(head_epochs=head_epochs, **COMMON)


def two_phase(head_epochs):
    return TwoPhase(head_epochs=head_epochs, **COMMON)


@pytest.mark.parametrize(
    ("strategy", "stages", "epochs", "starts"),
    [
        (LinearProbe(norm="frozen", views=None), 6, 10, [None] * 5 + [0]),
        (LinearProbe(norm="frozen", views=None), 1, 10, [0]),
        (gradual(1), 6, 10, [5, 4, 3, 2, 1, 0]),
        (gradual(2), 6, 7, [None, None, 6, 4, 2, 0]),
        (gradual(0.1), 4, 30, [9, 6, 3, 0]),
        (gradual(0.05), 4, 10, [2, 1, 0, 0]),
        (gradual(3), 1, 1, [0]),
        (top_half(0.2), 7, 10, [None] * 3 + [2] * 3 + [0]),
        (top_half(0.2), 6, 10, [None] * 2 + [2] * 3 + [0]),
        (top_half(3), 2, 10, [3, 0]),
        (two_phase(0.3), 4, 10, [3, 3, 3, 0]),
        (two_phase(0.3), 4, 1, [None, None, None, 0]),
        (two_phase(2), 1, 10, [0]),
        (Discriminative(decay=0.4, norm="train"), 4, 10, [0] * 4),
        (Full(scale=0.1, head_rate=None, norm="train"), 4, 10, [0] * 4),
    ],
)
def test_stages_start_to_train_in_these_epochs(strategy, stages, epochs, starts):
    assert strategy.starts(stages, epochs) == starts


def test_rates_decay_with_the_distance_from_the_head():
    for strategy in (gradual(1), top_half(0.2), two_phase(0.2), Discriminative(decay=0.5, norm="train")):
        assert [strategy.factor(distance, 4) for distance in range(4)] == [1, 0.5, 0.25, 0.125]
    assert [Full(scale=0.1, head_rate=None, norm="train").factor(distance, 3) for distance in range(3)] == [
        0.1
    ] * 3
    assert LinearProbe(norm="frozen", views=None).factor(0, 3) == 1


@pytest.mark.parametrize(
    ("rewarm", "ramp"),
    [(0, [1, 1, 1]), (0.5, [0.2, 0.4, 0.6, 0.8, 1, 1]), (2, [1 / 3, 2 / 3, 1, 1])],
)
def test_an_unfrozen_stage_warms_up_over_a_fraction_of_an_epoch_or_some_steps(rewarm, ramp):
    strategy = gradual(1, rewarm=rewarm)
    assert [strategy.ramp(step, 8) for step in range(len(ramp))] == pytest.approx(ramp)


def test_a_head_phase_as_long_as_the_run_is_refused():
    with pytest.raises(
        Problem, match=r"finetune\.head_epochs: wants fewer epochs than the 10 of the run, got 10"
    ):
        two_phase(10).starts(4, 10)
