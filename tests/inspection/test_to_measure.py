import numpy as np

from imagelab.inspection.to_measure import to_measure

CLASSES = ["ant", "bee", "cat"]


def test_classes_of_which_a_split_has_few_are_named_with_their_number():
    counts = {"val": np.array([10, 9, 30]), "test": np.array([10, 11, 12])}
    found = to_measure(counts, CLASSES)
    assert (found.status, found.value) == ("WARN", {"val": "bee (9)"})
    assert found.expected == "10 or more of each class in val and test"
    assert "over 10 points" in found.why


def test_a_class_that_a_split_lacks_fails_unless_another_finding_names_it():
    counts = {"val": np.array([0, 12, 3])}
    found = to_measure(counts, CLASSES, of="boxes")
    assert (found.name, found.status) == ("boxes to measure a class with", "FAIL")
    assert found.value == {"val": "ant (0), cat (3)"}
    assert "never measured" in found.why
    left = to_measure(counts, CLASSES, every=False)
    assert (left.status, left.value) == ("WARN", {"val": "cat (3)"})


def test_ten_of_each_are_enough():
    found = to_measure({"val": np.array([10, 10, 10])}, CLASSES)
    assert (found.status, found.value, found.why, found.fix) == ("OK", "10 or more each", "", "")
