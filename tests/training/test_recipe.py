from types import SimpleNamespace
from typing import Any

import pytest
import torch

from imagelab.problem import Problem
from imagelab.training.recipe import keep_batch, recipe, refuse_other_steps, share_of_rank
from imagelab.training.step_plan import StepPlan

PLAN = StepPlan(batches=10, windows=[1, 1], images=64)


def share(ranks: int, before: int = 4) -> int:
    data: Any = SimpleNamespace(batch_size=64 // before, full_batch=False)
    keep_batch({"recipe": recipe(PLAN, before)}, data, ranks)
    return data.batch_size


def test_other_numbers_of_processes_share_the_same_batch() -> None:
    assert [share(ranks) for ranks in (1, 2, 4, 8)] == [64, 32, 16, 8]


def test_a_batch_without_equal_shares_is_refused_with_the_numbers_that_have() -> None:
    with pytest.raises(
        Problem, match=r"4 processes and 64 images per batch.*start one of 1, 2, 4, 8 processes"
    ):
        share(3)


def test_other_steps_than_at_the_beginning_are_refused() -> None:
    refuse_other_steps({"recipe": recipe(PLAN, 2)}, PLAN, 1)
    refuse_other_steps({}, PLAN, 1)
    longer = StepPlan(batches=20, windows=[1, 1], images=32)
    with pytest.raises(Problem, match="20 steps of 64 images and would end with 40 of 32; start 2 processes"):
        refuse_other_steps({"recipe": recipe(PLAN, 2)}, longer, 1)


def test_a_rank_takes_its_own_records_or_the_mean_of_losses_and_the_sum_of_counts() -> None:
    records = {"epoch": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "correct": torch.tensor([[5, 10], [6, 10]])}
    assert share_of_rank(records, rank=1, ranks=2)["epoch"].tolist() == [3.0, 4.0]
    assert [share_of_rank(records, rank, 1)["epoch"].tolist() for rank in (0,)] == [[2.0, 3.0]]
    counts = [share_of_rank(records, rank, 3)["correct"].tolist() for rank in range(3)]
    assert counts == [[11, 20], [0, 0], [0, 0]]
