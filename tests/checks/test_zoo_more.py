# room: checks
"""Bugs in data and in steps, each planted into a run on the digits, and found by the check meant for it."""

import pytest

from tests.zoo import DIGITS, KINDS, statuses, subject
from tests.zoo_data import DATA
from tests.zoo_model import MODEL

DEAR = pytest.mark.slow
CASES = [
    pytest.param(name, marks=[DEAR] if bug.trains else [], id=name) for name, bug in (DATA | MODEL).items()
]


@pytest.mark.parametrize("name", CASES)
def test_a_planted_bug_is_found_by_its_check(name):
    bug = (DATA | MODEL)[name]
    checked = subject([*DIGITS, *KINDS["A"], *bug.words])
    bug.plant(checked)
    found = statuses(checked, fast=not bug.trains, only=(bug.check,))
    assert found == {bug.check: "WARN" if bug.warns else "FAIL"}
