"""The paths show the problems that the page speaks of, and what solves them."""

import numpy as np

from scripts.paths import path


def points(scene, name):
    return np.array(path(scene, name))


def test_plain_descent_zigzags_across_a_valley_and_momentum_or_a_rate_per_weight_does_less():
    turns = {name: (np.diff(np.sign(points("valley", name)[:, 1])) != 0).sum() for name in ("sgd", "rmsprop")}
    assert turns["sgd"] > 40
    assert turns["rmsprop"] < turns["sgd"] / 2
    left = {name: abs(points("valley", name)[-1, 0]) for name in ("sgd", "momentum")}
    assert left["momentum"] < left["sgd"] + 0.2


def test_plain_descent_stays_at_a_saddle_point_that_momentum_and_adam_leave():
    heights = {name: abs(points("saddle", name)[-1, 1]) for name in ("sgd", "momentum", "adam")}
    assert heights["sgd"] < 0.5
    assert min(heights["momentum"], heights["adam"]) > 0.9


def test_momentum_averages_the_noise_of_the_batch():
    def length(name):
        return np.linalg.norm(np.diff(points("noise", name)[20:], axis=0), axis=1).sum()

    assert length("momentum") < length("sgd") / 2


def test_the_step_of_adagrad_shrinks_for_ever():
    steps = np.linalg.norm(np.diff(points("noise", "adagrad"), axis=0), axis=1)
    assert steps[-10:].mean() < steps[:10].mean() / 2
