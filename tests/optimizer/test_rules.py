"""Each optimizer of configs/optimizer against the published rule, three steps on a quadratic."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.linalg import norm
from torch import nn

from imagelab.config.compose import compose, plain
from imagelab.optimizer.build import build_optimizer

CHOICES = {path.stem for path in (Path(__file__).parents[2] / "configs" / "optimizer").glob("*.yaml")}
ELSEWHERE = {"lbfgs", "muon", "prodigy", "schedule_free"}  # no rule for one weight: files of their own
CURVATURE, START = [[1.0, 10.0], [0.5, 4.0]], [[3.0, -2.0], [1.0, 0.5]]


class Quadratic(nn.Module):
    """The sum of curvature * w^2 / 2 over four weights, and over a bias of curvature 1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(START, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor([0.25], dtype=torch.float64))

    def forward(self):
        return ((torch.tensor(CURVATURE).double() * self.weight**2).sum() + (self.bias**2).sum()) / 2


def steps_of(choice, *words):
    """Weights and bias after each of three steps, with the values of the choice's file."""
    cfg = plain(compose("train", [f"optimizer={choice}", *words]).cfg)
    net = Quadratic()
    make, groups = build_optimizer(cfg["optimizer"], net, batch=256)
    optimizer, seen = make(groups), []
    for _ in range(3):
        optimizer.zero_grad()
        net().backward()
        optimizer.step()
        seen.append([*net.weight.flatten().tolist(), *net.bias.tolist()])
    return seen


def by_hand(rule):
    """The same by a rule: rule(w, gradient, t, memory, is_bias) -> w; t counted from 1, a memory for each."""
    weight, bias, memories, seen = np.array(START), np.array([0.25]), ({}, {}), []
    for t in (1, 2, 3):
        weight = rule(weight, np.array(CURVATURE) * weight, t, memories[0], False)
        bias = rule(bias, bias, t, memories[1], True)
        seen.append([*weight.flatten(), *bias])
    return seen


def assert_equal(ours, theirs):
    assert np.array(ours) == pytest.approx(np.array(theirs), rel=1e-9)


def decayed(w, g, is_bias, decay):
    """L2 in the gradient, of weights only."""
    return g if is_bias else g + decay * w


def test_sgd():
    assert_equal(steps_of("sgd"), by_hand(lambda w, g, t, m, b: w - 0.1 * decayed(w, g, b, 5e-4)))


def test_momentum():
    def rule(w, g, t, m, is_bias):
        m["v"] = 0.9 * m.get("v", 0) + decayed(w, g, is_bias, 5e-4)
        return w - 0.01 * m["v"]

    assert_equal(steps_of("momentum"), by_hand(rule))


def test_nesterov():
    def rule(w, g, t, m, is_bias):
        g = decayed(w, g, is_bias, 5e-4)
        m["v"] = 0.9 * m.get("v", 0) + g
        return w - 0.01 * (g + 0.9 * m["v"])

    assert_equal(steps_of("nesterov"), by_hand(rule))


def test_adagrad():
    def rule(w, g, t, m, is_bias):
        """Duchi et al. 2011, figure 1, diagonal."""
        m["s"] = m.get("s", 0) + g**2
        return w - 0.01 * g / (np.sqrt(m["s"]) + 1e-10)

    assert_equal(steps_of("adagrad"), by_hand(rule))


def test_rmsprop():
    def rule(w, g, t, m, is_bias):
        """Tieleman & Hinton 2012, lecture 6e."""
        m["s"] = 0.9 * m.get("s", 0) + 0.1 * g**2
        return w - 1e-3 * g / (np.sqrt(m["s"]) + 1e-8)

    assert_equal(steps_of("rmsprop"), by_hand(rule))


def adam_direction(g, t, m, eps=1e-8):
    """Kingma & Ba 2015, algorithm 1."""
    m["m"] = 0.9 * m.get("m", 0) + 0.1 * g
    m["v"] = 0.999 * m.get("v", 0) + 0.001 * g * g
    mean, square = m["m"] / (1 - 0.9**t), m["v"] / (1 - 0.999**t)
    return mean / (np.sqrt(square) + eps)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_adds_its_decay_to_the_gradient(decay):
    rule = by_hand(lambda w, g, t, m, b: w - 3e-4 * adam_direction(decayed(w, g, b, decay), t, m))
    assert_equal(steps_of("adam", f"optimizer.weight_decay={decay}"), rule)


def test_adamw_decays_apart_from_the_gradient():
    rule = by_hand(lambda w, g, t, m, b: w * (1 - 3e-3 * 0.01 * (not b)) - 3e-3 * adam_direction(g, t, m))
    assert_equal(steps_of("adamw"), rule)


def test_nadam():
    def momentum(t):
        return 0.9 * (1 - 0.5 * 0.96 ** (t * 0.004))

    def rule(w, g, t, m, is_bias):
        """Dozat 2016, algorithm 2, with the growing momentum of section 3."""
        m["m"] = 0.9 * m.get("m", 0) + 0.1 * g
        m["v"] = 0.999 * m.get("v", 0) + 0.001 * g * g
        m["product"] = m.get("product", 1.0) * momentum(t)
        mean = momentum(t + 1) * m["m"] / (1 - m["product"] * momentum(t + 1))
        mean = mean + (1 - momentum(t)) * g / (1 - m["product"])
        return w - 2e-3 * mean / (np.sqrt(m["v"] / (1 - 0.999**t)) + 1e-8)

    assert_equal(steps_of("nadam"), by_hand(rule))


@pytest.mark.parametrize("decay", [5e-4, 0.0])
def test_lars_adapts_weights_and_no_biases_with_and_without_decay(decay):
    def rule(w, g, t, m, is_bias):
        """You et al. 2017, algorithm 1; a bias moves by momentum alone."""
        local = 1.0 if is_bias else 0.001 * norm(w) / (norm(g) + decay * norm(w))
        m["v"] = 0.9 * m.get("v", 0) + 1.0 * local * decayed(w, g, is_bias, decay)
        return w - m["v"]

    assert_equal(steps_of("lars", f"optimizer.weight_decay={decay}"), by_hand(rule))


@pytest.mark.parametrize("decay", [0.02, 0.0])
def test_lamb_adapts_weights_and_no_biases_with_and_without_decay(decay):
    def rule(w, g, t, m, is_bias):
        """You et al. 2020, algorithm 2; a bias moves by Adam alone."""
        direction = decayed(w, adam_direction(g, t, m, eps=1e-6), is_bias, decay)
        return w - 0.005 * (1.0 if is_bias else norm(w) / norm(direction)) * direction

    assert_equal(steps_of("lamb", f"optimizer.weight_decay={decay}"), by_hand(rule))


def test_lion():
    def rule(w, g, t, m, is_bias):
        """Chen et al. 2023, algorithm 2."""
        step = np.sign(0.9 * m.get("m", 0) + 0.1 * g) + (0 if is_bias else 0.1 * w)
        m["m"] = 0.99 * m.get("m", 0) + 0.01 * g
        return w - 3e-4 * step

    assert_equal(steps_of("lion"), by_hand(rule))


def test_every_choice_has_its_rule_here():
    assert {name.split("_")[1] for name in globals() if name.startswith("test_")} >= CHOICES - ELSEWHERE
