"""The curves against their closed formulas, step by step."""

import subprocess
import sys
from math import cos, pi
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, MultiStepLR, OneCycleLR

from imagelab import schedule
from imagelab.problem import Problem
from imagelab.schedule import Constant, Cosine, Multistep, OneCycle

CONFIGS = Path(__file__).parents[1] / "configs" / "schedule"
TOTAL, PER_EPOCH = 200, 9


def rates(curve, total=TOTAL):
    return [curve.factor(step, total, PER_EPOCH) for step in range(total)]


def torch_rates(make, total=TOTAL):
    """The rates of torch's own scheduler for a peak of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
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


def test_cosine_equals_its_formula_and_that_of_torch():
    ours = rates(Cosine(warmup=0, floor=0))
    assert ours == pytest.approx([(1 + cos(pi * step / TOTAL)) / 2 for step in range(TOTAL)], abs=1e-9)
    assert ours == pytest.approx(torch_rates(lambda optimizer: CosineAnnealingLR(optimizer, TOTAL)), abs=1e-9)
    assert ours[-1] > 0


def test_multistep_equals_its_formula_and_that_of_torch():
    ours = rates(Multistep(warmup=0, floor=0, milestones=[0.5, 0.75], gamma=0.1))
    formula = [0.1 ** ((step >= 100) + (step >= 150)) for step in range(TOTAL)]
    assert ours == pytest.approx(formula, abs=1e-9)
    assert ours == pytest.approx(torch_rates(lambda o: MultiStepLR(o, [100, 150], gamma=0.1)), abs=1e-9)


def test_milestones_are_shares_of_the_whole_run_also_after_a_warmup():
    factors = rates(Multistep(warmup=0.2, floor=0, milestones=[0.5], gamma=0.1))
    assert factors[99:101] == pytest.approx([1, 0.1])


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
    scheduler = LambdaLR(optimizer, lambda step: one_cycle(warmup=0.1).factor(step, TOTAL, PER_EPOCH))
    for _ in range(TOTAL):
        backbone, head = (group["lr"] for group in optimizer.param_groups)
        assert backbone / head == pytest.approx(100)
        optimizer.step()
        scheduler.step()


def test_the_step_after_the_last_has_a_factor_too():
    for curve in (Cosine(warmup=0.1, floor=0), one_cycle(), one_cycle(warmup=0.5)):
        assert curve.factor(TOTAL, TOTAL, PER_EPOCH) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("choice", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_choice_stays_between_0_and_1_and_reaches_its_peak(choice):
    arguments = OmegaConf.to_container(OmegaConf.load(CONFIGS / f"{choice}.yaml"))
    kind = getattr(schedule, arguments.pop("_target_").rpartition(".")[2])
    factors = rates(kind(**arguments))
    assert min(factors) > 0
    assert max(factors) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Constant(warmup=-1, floor=0), "warmup"),
        (lambda: Constant(warmup=1.5, floor=0), "warmup"),
        (lambda: Constant(warmup=0, floor=1.1), "floor"),
        (lambda: Multistep(warmup=0, floor=0, milestones=[30, 60], gamma=0.1), "milestones"),
        (lambda: Multistep(warmup=0, floor=0, milestones=[0.5], gamma=0), "gamma"),
        (lambda: one_cycle(pct_start=30), "pct_start"),
        (lambda: one_cycle(div=0.04), "div_factor"),
    ],
)
def test_a_value_out_of_range_is_named(make, word):
    with pytest.raises(Problem, match=f"schedule.{word} "):
        make()


def test_schedules_need_no_torch():
    code = "import sys, imagelab.schedule; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
