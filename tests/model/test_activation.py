"""Changing a network's activation."""

import pytest
import torch
from torch import nn

from imagelab.model.activation import ACTIVATIONS, set_activation
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem


def kinds(net):
    return [type(layer) for layer in net.modules()]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_replaced(name):
    net = SmallCNN(num_classes=10, in_channels=1, widths=[8, 16, 16], kernel_size=3)
    set_activation(net, name)
    wanted = type(ACTIVATIONS[name]())
    assert kinds(net).count(wanted) == 3
    assert name == "relu" or nn.ReLU not in kinds(net)
    assert net(torch.randn(2, 1, 8, 8)).isfinite().all()


def test_the_outputs_are_those_of_the_new_function():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))
    images = torch.randn(8, 4)
    set_activation(net, "tanh")
    torch.testing.assert_close(net(images), torch.tanh(net[0](images)))


def test_gates_stay():
    net = torchvision_model(
        name="mobilenet_v3_small", pretrained=False, num_classes=2, in_channels=3, size=64
    )
    gates = kinds(net).count(nn.Hardsigmoid)
    set_activation(net, "silu")
    assert gates > 0
    assert kinds(net).count(nn.Hardsigmoid) == gates
    assert nn.ReLU not in kinds(net)
    assert nn.Hardswish not in kinds(net)


def test_activations_inside_the_norms_of_timm_are_replaced():
    net = timm_model(name="mobilenetv3_small_050", pretrained=False, num_classes=2, in_channels=3, size=32)
    set_activation(net, "leaky_relu")
    assert nn.LeakyReLU in kinds(net)
    assert not {kind.__name__ for kind in kinds(net)} & {"ReLU", "Hardswish", "HardSwish"}


@pytest.mark.parametrize("name", ["googlenet", "densenet121"])
def test_a_network_that_calls_its_activation_as_a_function_is_refused(name):
    net = torchvision_model(name=name, pretrained=False, num_classes=2, in_channels=3, size=64)
    with pytest.raises(Problem, match=r"model.activation=gelu .* as a function; .*model.activation=default"):
        set_activation(net, "gelu")


def test_a_network_without_activations_is_refused():
    with pytest.raises(Problem, match="no activation layer"):
        set_activation(nn.Sequential(nn.Linear(2, 2)), "gelu")


def test_in_place_dropout_does_not_overwrite_what_the_new_activation_needs():
    net = nn.Sequential(nn.Linear(4, 8), nn.Hardswish(inplace=True), nn.Dropout(0.5, inplace=True))
    set_activation(net, "relu")
    net(torch.randn(3, 4)).sum().backward()
    assert net.get_submodule("0").weight.grad.abs().sum() > 0


def test_leaky_relu_has_the_slope_asked_for():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    set_activation(net, "leaky_relu", 0.2)
    images = torch.randn(8, 4)
    before = net[0](images)
    torch.testing.assert_close(net(images), torch.where(before < 0, 0.2 * before, before))
