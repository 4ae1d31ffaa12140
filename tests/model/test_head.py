"""Replacing the last layer, for other classes or for another task."""

import pytest
import torch
from torch import nn

from imagelab.model.dropout import set_dropout
from imagelab.model.head import last_layer, set_head
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem


def make(features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(features, 6), nn.ReLU(), nn.Linear(6, 5))


def network(library: str, name: str) -> nn.Module:
    build = {"timm": timm_model, "torchvision": torchvision_model}[library]
    return build(name=name, pretrained=False, num_classes=3, in_channels=3, size=64)


@pytest.mark.parametrize(
    ("library", "name"),
    [
        ("torchvision", "resnet18"),
        ("torchvision", "mobilenet_v3_small"),
        ("torchvision", "densenet121"),
        ("timm", "test_vit"),
        ("timm", "test_convnext"),
        ("timm", "test_efficientnet"),
    ],
)
def test_the_head_of_any_network_is_replaced_and_all_else_stays(library, name):
    net = network(library, name)
    before, (place, old) = dict(net.named_parameters()), last_layer(net)
    set_head(net, make, in_channels=3, size=64)
    assert net(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
    kept = {key: value for key, value in before.items() if not key.startswith(f"{place}.")}
    after = dict(net.named_parameters())
    assert all(after[key] is value for key, value in kept.items())
    assert set(after) - set(kept) == {f"{place}.{key}" for key, _ in make(8).named_parameters()}
    assert old not in set(net.modules())


def test_a_task_without_a_head_of_its_own_does_not_change_the_network():
    net = SmallCNN(num_classes=3, in_channels=1, widths=[4], kernel_size=3)
    head = net.head
    set_head(net, lambda features: None, in_channels=1, size=8)
    assert net.head is head


def test_dropout_of_the_features_is_kept():
    net = SmallCNN(num_classes=3, in_channels=1, widths=[400], kernel_size=3)
    set_dropout(net, 0.5)
    set_head(net, nn.Identity, in_channels=1, size=8)
    net.features = nn.Sequential(nn.Conv2d(1, 400, 1), nn.Flatten(0), nn.Unflatten(0, (1, 400, 8, 8)))
    nn.init.ones_(net.features[0].bias)
    images = torch.zeros(1, 1, 8, 8)
    assert 0.4 < float((net.train()(images) == 0).float().mean()) < 0.6
    assert (net.eval()(images) == 1).all()


def test_a_last_layer_that_is_a_convolution_is_refused():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(Problem, match=r"task: .* Sequential ends in a convolution; choose another model"):
        set_head(net, make, in_channels=3, size=8)
