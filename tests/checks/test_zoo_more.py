# room: checks
"""Bugs in data and in steps, each planted into a run on the digits, found by its check; sound runs pass."""

import pytest

from tests.zoo import DIGITS, KINDS, statuses, subject
from tests.zoo_data import DATA
from tests.zoo_healthy import DIGITS as SOUND
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


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_nothing_fails_on_sound_set_ups(name):
    start = [] if any(word.startswith("data=") for word in SOUND[name]) else ["data=digits"]
    found = statuses(subject([*start, *SOUND[name]]), fast=False)
    assert [check for check, status in found.items() if status == "FAIL"] == []
