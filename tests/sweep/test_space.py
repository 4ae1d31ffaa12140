"""Ranges in Hydra's syntax: parsed, drawn from, and refused in a sentence."""

import numpy as np
import pytest

from imagelab.problem import Problem
from imagelab.sweep.space import Interval, Values, parsed

SHARES = (np.arange(2_000) + 0.5) / 2_000  # evenly over [0, 1)


def drawn(text):
    found = parsed("key", text, "key")
    return [found.draw(share) for share in SHARES]


def test_draws_from_an_interval_are_uniform():
    counts, _ = np.histogram(np.array(drawn("interval(-1,3)"), float), bins=4, range=(-1, 3))
    assert counts.tolist() == pytest.approx([500] * 4, abs=2)  # four digits put some on an edge


def test_draws_from_a_logarithmic_range_are_log_uniform():
    values = np.array(drawn("tag(log,interval(1e-4,1e-1))"), float)
    assert np.histogram(np.log10(values), bins=3, range=(-4, -1))[0] == pytest.approx([667] * 3, abs=3)
    assert values.min() >= 1e-4
    assert values.max() <= 1e-1


def test_whole_numbers_are_drawn_equally_often_ends_included():
    values = drawn("int(interval(2,5))")
    assert {value: values.count(value) for value in values} == {"2": 500, "3": 500, "4": 500, "5": 500}


def test_whole_numbers_from_0_are_whole():
    values = drawn("int(interval(0,3))")
    assert {value: values.count(value) for value in values} == {"0": 500, "1": 500, "2": 500, "3": 500}
    assert parsed("key", "int(interval(-2,0))", "key").points(3) == ["-2", "-1", "0"]


def test_log_uniform_integers_favour_small_ones():
    values = np.array(drawn("tag(log,int(interval(1,64)))"), int)
    assert (values.min(), values.max()) == (1, 64)
    assert np.mean(values <= 8) == pytest.approx(np.log(8.5 / 0.5) / np.log(64.5 / 0.5), abs=0.001)


@pytest.mark.parametrize("text", ["a,b,c", "choice(a,b,c)", "range(0,3)"])
def test_values_of_a_list_are_drawn_equally_often(text):
    values = drawn(text)
    assert sorted(values.count(value) for value in set(values)) == [666, 667, 667]


def test_a_glob_pattern_finds_choices():
    assert parsed("optimizer", "glob(ada*)", "x") == Values(("adagrad", "adam", "adamw"))


@pytest.mark.parametrize(
    "text",
    [
        "interval(0.12345678,1234567.5)",
        "interval(0,0.5)",
        "tag(log,interval(0.0001,0.1))",
        "int(interval(0,256))",
        "choice([],[flip])",
    ],
)
def test_parsing_and_writing_a_range_are_inverse(text):
    assert parsed("key", text, "key").text() == text


def test_points_of_a_range_are_evenly_spaced_or_have_equal_ratios():
    assert parsed("key", "interval(0,1)", "key").points(5) == ["0", "0.25", "0.5", "0.75", "1"]
    assert parsed("key", "tag(log,interval(1e-4,1e-2))", "key").points(3) == ["0.0001", "0.001", "0.01"]
    assert parsed("key", "tag(log,int(interval(8,128)))", "key").points(3) == ["8", "32", "128"]
    assert Interval(1, 2, log=False, whole=True).points(5) == ["1", "2"]


WRONG = {
    "interval(3,1)": "must be below its end, got 3 to 1",
    "tag(log,interval(0,1))": "must start above 0, got 0 to 1",
    "tag(lgo,interval(1,2))": "the only tag of a range is log, got lgo",
    "0.1": "0.1 is not a range; use choice(a,b), range(1,4), interval(0,0.5)",
    "[1,2]": "[1,2] is not a range",
    "log_uniform(1e-4,1e-1)": "log_uniform(1e-4,1e-1) cannot be parsed as a range; use choice(a,b)",
    "range(3,1)": "the range is empty",
    "shuffle(choice(1,2))": "leave shuffle out",
}


@pytest.mark.parametrize("text", WRONG)
def test_an_invalid_range_is_refused_in_a_sentence(text):
    with pytest.raises(Problem, match=r"^sweep\.space\.key: ") as problem:
        parsed("key", text, "sweep.space.key")
    assert WRONG[text] in str(problem.value)
