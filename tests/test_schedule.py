"""The curves against torch's, step by step; what warm-up and floor add; what is refused."""

import subprocess
import sys
from math import cos, pi

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR

from imagelab.config import validate
from imagelab.config.compose import compose
from imagelab.config.signatures import from_import, from_source
from imagelab.schedule import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    Exponential,
    InverseSqrt,
    InverseTime,
    Linear,
    Multistep,
    OneCycle,
    Polynomial,
    Sigmoid,
    Step,
)
from imagelab.training.step_plan import StepPlan

TOTAL, PER_EPOCH = 200, 10
BARE = {"warmup": 0, "floor": 0}


def run_of(total):
    """So many steps, 10 an epoch where they allow it."""
    per_epoch = PER_EPOCH if total % PER_EPOCH == 0 else 1
    return StepPlan(batches=per_epoch, windows=[1] * (total // per_epoch), images=1)


def rates(curve, total=TOTAL):
    return [curve.scale(step, run_of(total)) for step in range(total)]


def torch_rates(make, total=TOTAL):
    """The rates of torch's own scheduler for a peak of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    scheduler = make(optimizer)
    seen = [optimizer.param_groups[0]["lr"]]
    for _ in range(total - 1):
        optimizer.step()
        scheduler.step()
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def one_cycle(pct_start=0.3, div=25.0, final=1e4, warmup=0.0, floor=0.0):
    return OneCycle(warmup=warmup, floor=floor, pct_start=pct_start, div_factor=div, final_div_factor=final)


@pytest.mark.parametrize("total", [2, 3, 7, 199, 200])
@pytest.mark.parametrize("pct_start", [0.0, 0.1, 0.3, 0.9])
@pytest.mark.parametrize(("div", "final"), [(25, 1e4), (10, 100), (1, 1)])
def test_one_cycle_equals_that_of_torch_on_every_step(total, pct_start, div, final):
    theirs = torch_rates(
        lambda optimizer: OneCycleLR(
            optimizer, 1.0, total, pct_start=pct_start, div_factor=div, final_div_factor=final
        ),
        total,
    )
    assert rates(one_cycle(pct_start, div, final), total) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("total", [1, 2, 10])
def test_one_cycle_is_defined_where_torch_divides_by_zero(total):
    factors = rates(one_cycle(pct_start=1 / total), total)
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[0] == pytest.approx(1.0)


TORCH = {
    "constant": (Constant(**BARE), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": (Step(**BARE, every=6, gamma=0.3), lambda o: lr_scheduler.StepLR(o, 60, 0.3)),
    "multistep": (
        Multistep(**BARE, milestones=[0.5, 0.75], gamma=0.1),
        lambda o: lr_scheduler.MultiStepLR(o, [100, 150], gamma=0.1),
    ),
    "exponential": (Exponential(**BARE, gamma=0.8), lambda o: lr_scheduler.ExponentialLR(o, 0.8**0.1)),
    "polynomial": (Polynomial(**BARE, power=2), lambda o: lr_scheduler.PolynomialLR(o, TOTAL, 2)),
    "linear": (Linear(**BARE), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, TOTAL)),
    "cosine": (Cosine(**BARE), lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL)),
    "cosine_restarts": (
        CosineRestarts(**BARE, first_cycle=0.1, multiplier=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 20, 2),
    ),
    "equal cycles": (
        CosineRestarts(**BARE, first_cycle=0.2, multiplier=1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 40),
    ),
    "cyclic": (
        Cyclic(**BARE, cycles=5, low=0.2, high=1.0),
        lambda o: lr_scheduler.CyclicLR(o, 0.2, 1.0, step_size_up=20, cycle_momentum=False),
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_a_schedule_that_torch_has_equals_it_on_every_step(name):
    ours, theirs = TORCH[name]
    assert rates(ours) == pytest.approx(torch_rates(theirs), abs=1e-9)


def test_milestones_and_drops_are_counted_from_the_start_of_the_run_also_after_a_warmup():
    multistep = rates(Multistep(warmup=0.2, floor=0, milestones=[0.5], gamma=0.1))
    step = rates(Step(warmup=0.2, floor=0, every=10, gamma=0.1))
    assert multistep[99:101] == step[99:101] == pytest.approx([1, 0.1])


@pytest.mark.parametrize(("warmup", "steps"), [(0.1, 20), (20, 20), (0, 0), (1, 1), (0.0024, 0)])
def test_a_warmup_is_a_share_or_a_number_of_steps_and_then_the_curve_covers_the_rest(warmup, steps):
    floor = 0.2
    rise = [(step + 1) / (steps + 1) for step in range(steps)]
    fall = [floor + (1 - floor) * (1 + cos(pi * step / (TOTAL - steps))) / 2 for step in range(TOTAL - steps)]
    assert rates(Cosine(warmup=warmup, floor=floor)) == pytest.approx(rise + fall, abs=1e-9)


def test_a_warmup_rises_to_where_the_curve_begins():
    plain, warm = rates(one_cycle(), 150), rates(one_cycle(warmup=50))
    rise = [plain[0] * (step + 1) / 51 for step in range(50)]
    assert warm == pytest.approx(rise + plain, abs=1e-9)


def test_the_floor_is_the_lowest_factor():
    assert min(rates(one_cycle(floor=0.1))) == pytest.approx(0.1 + 0.9 / 250000, abs=1e-12)
    assert min(rates(Multistep(warmup=0, floor=0.3, milestones=[0.0], gamma=0.5))) == pytest.approx(0.65)
    assert rates(Constant(warmup=0, floor=0.5)) == [1.0] * TOTAL


def test_a_run_shorter_than_its_warmup_only_rises():
    assert rates(Cosine(warmup=9, floor=0), total=4) == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_one_factor_keeps_the_ratio_between_groups():
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.01)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    scheduler = LambdaLR(optimizer, lambda step: one_cycle(warmup=0.1).scale(step, run_of(TOTAL)))
    for _ in range(TOTAL):
        backbone, head = (group["lr"] for group in optimizer.param_groups)
        assert backbone / head == pytest.approx(100)
        optimizer.step()
        scheduler.step()


def test_the_step_after_the_last_has_a_factor_too():
    for curve in (Cosine(warmup=0.1, floor=0), one_cycle(), one_cycle(warmup=0.5), Linear(**BARE)):
        assert curve.scale(TOTAL, run_of(TOTAL)) == pytest.approx(0, abs=1e-5)


def test_a_sigmoid_as_steep_as_a_step_does_not_overflow():
    factors = rates(Sigmoid(**BARE, steepness=1e6, midpoint=0.5))
    assert factors == pytest.approx([1.0] * 100 + [0.5] + [0.0] * 99)


@pytest.mark.parametrize(
    ("schedule", "key", "value"),
    [
        ("constant", "warmup", "-1"),
        ("constant", "warmup", "1.5"),
        ("constant", "floor", "1.1"),
        ("multistep", "milestones", "[30,60]"),
        ("multistep", "gamma", "0"),
        ("one_cycle", "pct_start", "30"),
        ("one_cycle", "div_factor", "0.04"),
        ("step", "every", "0"),
        ("exponential", "gamma", "1.1"),
        ("inverse_time", "decay", "-1"),
        ("polynomial", "power", "0"),
        ("sigmoid", "steepness", "0"),
        ("cosine_restarts", "first_cycle", "10"),
        ("cosine_restarts", "multiplier", "0.5"),
        ("linear_cosine", "periods", "0"),
        ("cyclic", "cycles", "0"),
        ("cyclic", "low", "1.2"),
    ],
)
def test_values_out_of_range_are_refused(schedule, key, value):
    composed = compose("train", [f"schedule={schedule}", f"schedule.{key}={value}"])
    assert composed.cfg is not None
    found = [*composed.problems, *validate.problems(composed.cfg)]
    assert [one for one in found if one.startswith(f"schedule.{key}: wants ")], found


def test_a_run_of_before_names_a_schedule_by_its_shorter_path():
    for name in ("Constant", "Cosine", "Multistep", "OneCycle"):
        short = from_source(f"imagelab.schedule.{name}")
        assert short == from_import(f"imagelab.schedule.{name}")
        assert short is not None
        assert {"warmup", "floor"} <= short.arguments.keys()


def test_schedules_need_no_torch():
    code = "import sys, imagelab.schedule; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_slow_falls_reach_what_their_formula_says():
    assert rates(InverseTime(**BARE, decay=0.5))[20] == pytest.approx(0.5)  # after two epochs
    assert rates(InverseSqrt(**BARE))[30] == pytest.approx(0.5)  # after three
