"""Each optimizer of configs/optimizer against the published rule, three steps on a quadratic."""

from math import sqrt
from pathlib import Path

import pytest
import torch
from hydra.utils import get_object
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs" / "optimizer"
CURVATURE, START = (1.0, 10.0), (3.0, -2.0)


def steps_of(choice, **changes):
    """The weights after each of three steps on sum(curvature * w^2) / 2, by the library."""
    arguments = OmegaConf.to_container(OmegaConf.load(CONFIGS / f"{choice}.yaml")) | changes
    weights = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    optimizer = get_object(arguments.pop("_target_"))([weights], **arguments)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE, dtype=torch.float64) * weights**2 / 2).sum().backward()
        optimizer.step()
        seen.append(weights.tolist())
    return seen


def by_hand(step):
    """The same by a rule for one weight: step(w, gradient, t, memory) -> w, t counted from 1."""
    weights, memories = list(START), [{}, {}]
    seen = []
    for t in (1, 2, 3):
        weights = [step(w, a * w, t, m) for w, a, m in zip(weights, CURVATURE, memories, strict=True)]
        seen.append(weights)
    return seen


def assert_equal(ours, theirs):
    assert torch.tensor(ours) == pytest.approx(torch.tensor(theirs), rel=1e-9)


def test_sgd():
    assert_equal(steps_of("sgd"), by_hand(lambda w, g, t, m: w - 0.1 * (g + 5e-4 * w)))


def test_momentum():
    def rule(w, g, t, m):
        m["v"] = 0.9 * m.get("v", 0) + g + 5e-4 * w
        return w - 0.01 * m["v"]

    assert_equal(steps_of("momentum"), by_hand(rule))


def test_nesterov():
    def rule(w, g, t, m):
        g += 5e-4 * w
        m["v"] = 0.9 * m.get("v", 0) + g
        return w - 0.01 * (g + 0.9 * m["v"])

    assert_equal(steps_of("nesterov"), by_hand(rule))


def adam_direction(g, t, m):
    """Kingma & Ba 2015, algorithm 1."""
    m["m"] = 0.9 * m.get("m", 0) + 0.1 * g
    m["v"] = 0.999 * m.get("v", 0) + 0.001 * g * g
    mean, square = m["m"] / (1 - 0.9**t), m["v"] / (1 - 0.999**t)
    return mean / (sqrt(square) + 1e-8)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_adds_its_decay_to_the_gradient(decay):
    rule = by_hand(lambda w, g, t, m: w - 3e-4 * adam_direction(g + decay * w, t, m))
    assert_equal(steps_of("adam", weight_decay=decay), rule)


def test_adamw_decays_apart_from_the_gradient():
    rule = by_hand(lambda w, g, t, m: w - 3e-3 * 0.01 * w - 3e-3 * adam_direction(g, t, m))
    assert_equal(steps_of("adamw"), rule)


def test_every_choice_has_its_rule_here():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} <= {
        name.split("_")[1] for name in globals() if name.startswith("test_")
    }
