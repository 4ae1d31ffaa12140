# room: checks
"""What is said of the labels of a run before it begins."""

import pytest

from imagelab.checks.labels import classes_and_labels
from tests.zoo import BLOBS, subject

RARE = [*BLOBS, "++data.rare=true"]


@pytest.mark.parametrize("words", [["loss.weight=auto"], ["data.balance=true"], []])
def test_weights_are_proposed_where_classes_are_unequal_and_nothing_evens_them_out(words):
    found = classes_and_labels(subject([*RARE, *words]))
    assert "the largest class is" in found.why
    assert ("loss.weight=balanced" in found.fix) == (not words)
    assert found.status == ("OK" if words else "INFO")
