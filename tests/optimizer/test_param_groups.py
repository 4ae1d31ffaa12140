"""Which parameters decay."""

import pytest
import torch
from torch import nn

from imagelab.optimizer.param_groups import optimizer_groups, param_groups


class Odd(nn.Module):
    """A norm with weights of three dimensions, a bias of two, and a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.LayerNorm((4, 6, 6))
        self.batch = nn.BatchNorm2d(4)
        self.bias = nn.Parameter(torch.zeros(4, 1))
        self.gain = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(4, 2)


def names_of(net, groups):
    known = {parameter: name for name, parameter in net.named_parameters()}
    return {group["name"]: [known[parameter] for parameter in group["params"]] for group in groups}


def test_weights_decay_and_norms_and_biases_do_not():
    net = Odd()
    groups = param_groups(net, weight_decay=0.1, decay_norm_bias=False)
    assert names_of(net, groups)["decay"] == ["conv.weight", "head.weight"]
    assert {group["name"]: group["weight_decay"] for group in groups} == {"decay": 0.1, "no_decay": 0.0}


def test_everything_decays_when_asked():
    net = Odd()
    (group,) = param_groups(net, weight_decay=0.1, decay_norm_bias=True)
    assert (group["name"], group["weight_decay"]) == ("decay", 0.1)
    assert len(group["params"]) == len(list(net.parameters()))


@pytest.mark.parametrize("decay_norm_bias", [True, False])
@pytest.mark.parametrize("net", [Odd(), nn.Linear(2, 2, bias=False), nn.BatchNorm2d(3)])
def test_every_parameter_is_in_one_group_and_no_group_is_empty(net, decay_norm_bias):
    groups = param_groups(net, 0.1, decay_norm_bias)
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in net.parameters())
    assert all(group["params"] for group in groups)


def test_shared_weights_are_held_once():
    first = nn.Linear(3, 3)
    second = nn.Linear(3, 3)
    second.weight = first.weight
    groups = param_groups(nn.Sequential(first, second), 0.1, False)
    assert sum(len(group["params"]) for group in groups) == 3


def test_what_a_network_exempts_itself_does_not_decay():
    import timm

    net = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1)
    assert {"pos_embed", "cls_token"} <= set(names_of(net, param_groups(net, 0.1, False))["no_decay"])


def test_without_a_gradient_only_the_weights_shrink():
    net = Odd()
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    optimizer = torch.optim.SGD(param_groups(net, weight_decay=0.1, decay_norm_bias=False), lr=1.0)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in net.named_parameters():
        factor = 0.9 if name in ("conv.weight", "head.weight") else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name])


@pytest.mark.parametrize("own", [{"always_adapt": False}, {"always_adapt": False, "weight_decay": None}])
def test_lars_adapts_weights_alone_also_without_a_decay(own):
    groups = optimizer_groups(Odd(), own | {"lr": 1.0}, decay_norm_bias=False)
    assert [(group["name"], group["always_adapt"]) for group in groups] == [
        ("decay", True),
        ("no_decay", False),
    ]


def test_what_a_network_exempts_by_name_does_not_decay():
    net = Odd()
    net.no_weight_decay = lambda: {"head.weight"}
    assert names_of(net, param_groups(net, 0.1, decay_norm_bias=False))["decay"] == ["conv.weight"]
