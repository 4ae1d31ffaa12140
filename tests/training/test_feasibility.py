"""What only the data show to be impossible is refused before training."""

import pytest

from imagelab.problem import Problem
from imagelab.schedule import Constant
from imagelab.training.feasibility import refuse_impossible, refuse_other_data

FEW, MANY = [str(k) for k in range(10)], [str(k) for k in range(11)]


def cfg(monitor: str) -> dict:
    task = {"_target_": "imagelab.task.classify.Classify"}
    tricks = {"stop": {"monitor": monitor}, "other": {}}
    return {"monitor": monitor, "task": task, "schedule": {}, "trick": tricks}


def test_all_impossible_settings_are_reported_at_once():
    schedule = Constant(warmup=100, floor=0)
    with pytest.raises(Problem) as told:
        refuse_impossible(
            cfg("val/accuracy_top5"), classes=FEW, warmup=schedule.warmup_steps(100), total_steps=100
        )
    assert [line.split(": ")[0] for line in str(told.value).splitlines()] == [
        "monitor",
        "trick.stop.monitor",
        "schedule.warmup",
    ]


@pytest.mark.parametrize("warmup", [0, 0.05, 0.5, 99])
def test_possible_settings_are_accepted(warmup):
    schedule = Constant(warmup=warmup, floor=0)
    refuse_impossible(
        cfg("val/accuracy_top5"), classes=MANY, warmup=schedule.warmup_steps(100), total_steps=100
    )
    refuse_impossible(cfg("val/accuracy"), classes=FEW, warmup=schedule.warmup_steps(100), total_steps=100)


def test_the_same_data_may_resume_and_so_may_a_card_without_counts():
    card = {"classes": FEW, "counts": {"train": 3}, "seed": 0}
    refuse_other_data(card, card | {"seed": 1}, "here")
    refuse_other_data({"classes": FEW}, card, "here")


def test_of_many_changed_classes_only_some_are_listed():
    with pytest.raises(Problem, match=r"classes then 0, 1, .* 9, and 1 more; now 0, .* 9\. Restore them"):
        refuse_other_data({"classes": MANY}, {"classes": FEW}, "here")
