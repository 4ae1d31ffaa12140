"""A grid has every combination once, in Hydra's order."""

import itertools

from imagelab.sweep.grid import Grid
from imagelab.sweep.space import parsed


def trials(points, **ranges):
    search = Grid(points=points, space=None)
    search.ranges = {name: parsed(name, text, name) for name, text in ranges.items()}
    found = (search.overrides(number) for number in itertools.count())
    return list(itertools.takewhile(lambda trial: trial is not None, found))


def test_a_grid_has_every_combination_once_and_the_last_parameter_varies_fastest():
    assert trials(0, a="1,2", b="x,y,z") == [
        {"a": a, "b": b} for a, b in itertools.product(["1", "2"], ["x", "y", "z"])
    ]


def test_a_grid_takes_the_given_number_of_points_from_a_range():
    found = trials(3, lr="tag(log,interval(1e-4,1e-2))", a="1,2")
    assert [trial["lr"] for trial in found] == ["0.0001"] * 2 + ["0.001"] * 2 + ["0.01"] * 2


def test_an_empty_grid_is_one_trial():
    assert trials(0) == [{}]
