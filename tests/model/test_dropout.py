"""Dropout of features and channels."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from imagelab.model.dropout import set_dropout, set_dropout2d
from imagelab.model.head import last_layer
from imagelab.model.resnet9 import ResNet9
from imagelab.model.stages import stages
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem

RATE = 0.4


def network(library, name, size=32):
    return library(name=name, pretrained=False, num_classes=4, in_channels=3, size=size)


def resnet9():
    return ResNet9(num_classes=4, in_channels=3, width=16, kernel_size=3, join="add", logit_scale=1.0)


def what_enters(net, images):
    """The features that the last layer computes with."""
    seen = []
    hook = last_layer(net)[1].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    net(images)
    hook.remove()
    return seen[0]


WITHOUT = [
    (torchvision_model, "resnet18"),
    (torchvision_model, "convnext_tiny"),
    (timm_model, "resnet10t"),
    (timm_model, "mobilenetv3_small_050"),
]


@pytest.mark.parametrize(("library", "name"), WITHOUT)
def test_a_share_of_the_features_is_dropped_before_the_last_layer(library, name):
    torch.manual_seed(0)
    net, images = network(library, name).train(), torch.randn(16, 3, 32, 32)
    keys = list(net.state_dict())
    set_dropout(net, RATE)
    assert list(net.state_dict()) == keys
    last_layer(net)[1].register_forward_pre_hook(lambda _, x: (torch.ones_like(x[0]),), prepend=True)
    entering = what_enters(net, images)
    assert entering.unique().tolist() == [0.0, pytest.approx(1 / (1 - RATE))]
    assert (entering == 0).float().mean().item() == pytest.approx(RATE, abs=0.03)
    assert (what_enters(net.eval(), images) == 1).all()


WITH = [  # how many layers of dropout the classifier has
    (torchvision_model, "mobilenet_v3_small", 1),
    (torchvision_model, "squeezenet1_1", 1),
    (torchvision_model, "vgg11", 2),
    (timm_model, "vit_tiny_patch16_224", 1),
    (timm_model, "convnext_atto", 1),
    (timm_model, "vgg11", 2),
]


@pytest.mark.parametrize(("library", "name", "count"), WITH)
def test_dropout_of_the_heads_own_gets_the_rate_and_no_second_is_added(library, name, count):
    with torch.device("meta"):
        net = network(library, name)
    layers = list(net.modules())
    set_dropout(net, RATE)
    assert list(net.modules()) == layers
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout) and layer.p > 0] == [RATE] * count
    assert not last_layer(net)[1]._forward_pre_hooks


def test_dropout_inside_the_body_keeps_its_rate():
    with torch.device("meta"):
        net = network(torchvision_model, "vit_b_32")
    own = [layer for layer in net.modules() if isinstance(layer, nn.Dropout)]
    set_dropout(net, RATE)
    assert len(own) > 12
    assert all(layer.p == 0 for layer in own)


def entering_and_leaving(net, images):
    """What each stage would return and what it does return, for every stage but the head."""
    pairs = []
    for stage in stages(net)[:-1]:
        last = net.get_submodule(stage.modules[-1])
        last.register_forward_hook(lambda _, __, maps: pairs.append([maps.clone()]), prepend=True)
        last.register_forward_hook(lambda _, __, maps: pairs[-1].append(maps.clone()))
    net(images)
    return pairs


BODIES = {
    "resnet9": (resnet9, 4),
    "torchvision resnet": (lambda: network(torchvision_model, "resnet18"), 5),
    "torchvision convnext": (lambda: network(torchvision_model, "convnext_tiny"), 8),
    "torchvision densenet": (lambda: network(torchvision_model, "densenet121"), 8),
    "timm resnet": (lambda: network(timm_model, "resnet10t"), 5),
    "timm mobilenet": (lambda: network(timm_model, "mobilenetv3_small_050"), 7),
    "timm convnext": (lambda: network(timm_model, "convnext_atto"), 5),
}


@pytest.mark.parametrize("name", BODIES)
def test_whole_channels_are_dropped_at_the_end_of_every_stage(name):
    torch.manual_seed(0)
    make, count = BODIES[name]
    net, images = make().train(), torch.randn(4, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    keys = list(net.state_dict())
    set_dropout2d(net, RATE)
    assert list(net.state_dict()) == keys
    pairs = entering_and_leaving(net, images)
    assert len(pairs) == count
    dropped = channels = 0
    for before, after in pairs:
        gone = (after == 0).flatten(2).all(2)
        kept = before / (1 - RATE) * ~gone[:, :, None, None]
        torch.testing.assert_close(after, kept)
        alive = (before != 0).flatten(2).any(2)  # behind a ReLU, a channel may be 0 by itself
        dropped, channels = dropped + int((gone & alive).sum()), channels + int(alive.sum())
    assert dropped / channels == pytest.approx(RATE, abs=4 * (RATE * (1 - RATE) / channels) ** 0.5)


def test_no_channel_is_dropped_in_evaluation_or_in_a_frozen_stage():
    net, images = resnet9().eval(), torch.randn(2, 3, 32, 32)
    expected = net(images)
    set_dropout2d(net, RATE)
    torch.testing.assert_close(deepcopy(net)(images), expected)
    net.layer2.train()
    pairs = entering_and_leaving(net, images)
    assert [torch.equal(before, after) for before, after in pairs] == [True, True, False, True]


@pytest.mark.parametrize(
    ("library", "name"), [(torchvision_model, "swin_t"), (timm_model, "vit_tiny_patch16_224")]
)
def test_a_network_without_feature_maps_is_refused(library, name):
    with pytest.raises(Problem, match=r"model\.dropout2d drops channels .* has none"):
        set_dropout2d(network(library, name), RATE)


def test_maps_of_another_shape_are_refused():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2))
    net = nn.Sequential(body, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
    set_dropout2d(net, RATE)
    with pytest.raises(Problem, match="stage stem of this network returns something else"):
        net(torch.randn(1, 3, 8, 8))
