"""Conditions compare, and run nothing."""

import pytest

from imagelab.problem import Problem
from imagelab.reports.runs.conditions import conditions, known

ROW = {"val/accuracy": 0.91, "seed": 0, "optimizer": "sgd", "started": "2026-11-02 10:00", "data.size": None}
ROW |= {"augment": ["flip", "crop"], "balance": True}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("val/accuracy>0.9", True),
        ("val/accuracy>0.91", False),
        ("val/accuracy >= 0.91 and seed=0", True),
        ("val/accuracy>0.9 and seed!=0", False),
        ("val/accuracy<9e-1", False),
        ("seed=0.0", True),
        ("optimizer=sgd", True),
        ("optimizer!='sgd'", False),
        ("optimizer>0", False),
        ("started>2026-11-02", True),
        ("started<2026-11-01", False),
        ("data.size=null", True),
        ("data.size>1", False),
        ("data.size!=1", True),
        ("augment=[flip,crop]", True),
        ("balance=true", True),
    ],
)
def test_a_condition_compares_numbers_as_numbers_and_words_as_words(text, holds):
    assert all(condition.holds(ROW) for condition in conditions(text)) == holds


@pytest.mark.parametrize(
    "text", ["__import__('os').remove('a')", "val/accuracy", "seed=", ">1", "a>1 and and b"]
)
def test_what_is_no_comparison_is_refused(text):
    with pytest.raises(Problem, match="where: wants COLUMN>VALUE"):
        conditions(text)


def test_a_metric_that_no_run_has_yet_is_not_suggested_instead_of_itself():
    with pytest.raises(Problem, match="no run has 'val/accuracy'; a run has metrics once it has finished"):
        known("val/accuracy", ["seed", "optimizer"], "where")
