"""A draw depends on seed, trial and key, and on nothing else."""

import numpy as np

from imagelab.sweep.random_search import Random
from imagelab.sweep.space import parsed


def draws(trials, seed=0, **ranges):
    search = Random(trials=trials, seed=seed, space=None)
    search.ranges = {name: parsed(name, text, name) for name, text in ranges.items()}
    return [search.overrides(number) for number in range(trials)]


LR, DROPOUT = "tag(log,interval(1e-4,1e-1))", "interval(0,0.5)"


def test_more_trials_or_parameters_do_not_change_earlier_draws():
    few, many = draws(5, lr=LR), draws(9, dropout=DROPOUT, lr=LR)
    assert [trial["lr"] for trial in many[:5]] == [trial["lr"] for trial in few]


def test_another_seed_draws_other_values():
    assert all(a != b for a, b in zip(draws(5, lr=LR), draws(5, seed=1, lr=LR), strict=True))


def test_the_number_of_trials_is_respected():
    search = Random(trials=2, seed=0, space=None)
    assert [search.overrides(number) for number in range(4)] == [{}, {}, None, None]


def test_parameters_are_drawn_uniformly_and_independently():
    found = draws(2000, a="interval(0,1)", b="interval(0,1)")
    a, b = (np.array([float(trial[name]) for trial in found]) for name in "ab")
    assert np.histogram(a, bins=4, range=(0, 1))[0].min() > 430  # 500 +- 3.6 standard errors
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.08
