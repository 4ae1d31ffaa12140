"""Muon: which weights it takes, how far and where they move, and that the rest moves by AdamW."""

import numpy as np
import pytest
import torch
from torch import nn

from imagelab.config.compose import compose, plain
from imagelab.optimizer.build import build_optimizer
from imagelab.problem import Problem


class Net(nn.Module):
    """A first, two hidden, a depthwise and a last layer, an embedding, norms and biases."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 8)
        self.stem = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.conv = nn.Conv2d(8, 16, 3)
        self.depthwise = nn.Conv2d(16, 16, 3, groups=16)
        self.hidden = nn.Linear(16, 64)
        self.head = nn.Linear(64, 10)


def made(net, *words):
    cfg = plain(compose("train", ["optimizer=muon", *words]).cfg)
    make, groups = build_optimizer(cfg["optimizer"], net, batch=256)
    return make(groups)


def stepped(net, *words):
    """The change of each parameter in one step on random gradients, and the gradients."""
    optimizer, generator = made(net, *words), torch.Generator().manual_seed(0)
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    gradient = {name: torch.randn(value.shape, generator=generator) for name, value in before.items()}
    for name, parameter in net.named_parameters():
        parameter.grad = gradient[name]
    optimizer.step()
    change = {name: (parameter - before[name]).detach() for name, parameter in net.named_parameters()}
    return change, gradient


@pytest.mark.parametrize("decay_norm_bias", [False, True])
def test_hidden_weights_are_its_own_and_the_rest_has_the_rate_of_adamw(decay_norm_bias):
    net = Net()
    optimizer = made(net, f"optimizer.decay_norm_bias={decay_norm_bias}")
    known = {parameter: name for name, parameter in net.named_parameters()}
    groups = {group["name"]: group for group in optimizer.param_groups}
    names = {name: {known[parameter] for parameter in group["params"]} for name, group in groups.items()}
    assert next(iter(groups)) == "muon"
    assert names["muon"] == {"conv.weight", "hidden.weight"}
    outer = {"stem.weight", "depthwise.weight", "head.weight"}
    assert outer <= names["decay"]
    assert (names["decay"] == outer) is not decay_norm_bias
    assert groups["muon"]["lr"] == 0.02
    assert groups["decay"]["lr"] == pytest.approx(0.0003)
    assert sum(len(group["params"]) for group in groups.values()) == len(known)


def test_hidden_weights_move_along_the_orthogonal_factor_of_their_gradient():
    change, gradient = stepped(Net(), "optimizer.weight_decay=0")
    for name, scale in {"conv.weight": 1.0, "hidden.weight": np.sqrt(64 / 16)}.items():
        u, _, v = torch.linalg.svd(gradient[name].flatten(1), full_matrices=False)
        moved = -change[name].flatten(1) / (0.02 * scale)
        sizes = torch.linalg.svdvals(moved)
        assert 0.6 < sizes.min() < sizes.max() < 1.3  # what five steps with these coefficients reach
        assert nn.functional.cosine_similarity(moved.flatten(), (u @ v).flatten(), dim=0) > 0.97


def test_the_rest_moves_by_adamw_with_the_rate_of_its_group():
    net = Net()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    change, gradient = stepped(net)
    for name in ("stem.weight", "head.weight", "head.bias", "norm.weight", "conv.bias", "depthwise.weight"):
        decay = 0.01 if name in ("stem.weight", "head.weight", "depthwise.weight") else 0.0
        expected = -3e-4 * (gradient[name] / (gradient[name].abs() + 1e-7) + decay * before[name])
        torch.testing.assert_close(change[name], expected, rtol=1e-3, atol=1e-7)


def test_the_rate_of_each_group_moves_its_part_alone():
    net = Net()
    optimizer = made(net, "optimizer.weight_decay=0")
    for group in optimizer.param_groups:
        group["lr"] *= group["name"] == "muon"
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = {name for name, parameter in net.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved == {"conv.weight", "hidden.weight"}


def test_a_network_without_hidden_weights_is_refused_in_a_sentence():
    with pytest.raises(Problem, match="between the first and the last layer"):
        made(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 10)))
