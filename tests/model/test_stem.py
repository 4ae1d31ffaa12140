"""A stem for small images keeps their resolution, and nothing else of the network changes."""

import pytest
import torch
from torch import nn

from imagelab.model.linear import linear
from imagelab.model.stem import small_stem
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem

MAKERS = {"torchvision": torchvision_model, "timm": timm_model}


def side_of_last_features(net: nn.Module) -> int:
    seen = []
    hook = net.get_submodule("layer4").register_forward_hook(lambda *args: seen.append(args[2].shape[-1]))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, 32, 32))
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_resnet_reduces_small_images_four_times_less_per_side(maker):
    net = MAKERS[maker](name="resnet18", pretrained=False, num_classes=10, in_channels=3, size=32)
    names = list(net.state_dict())
    assert side_of_last_features(net) == 1
    small_stem(net)
    assert side_of_last_features(net) == 4  # as in section 4.2 of the paper: 32, 32, 16, 8, 4
    assert list(net.state_dict()) == names
    assert net.get_submodule("conv1").weight.shape == (64, 3, 3, 3)


def test_a_deep_stem_loses_its_first_stride_and_its_pooling():
    net = timm_model(name="resnet26d", pretrained=False, num_classes=10, in_channels=3, size=32)
    small_stem(net)
    assert side_of_last_features(net) == 4


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(Problem, match=r"model\.stem=small .* has none; keep model\.stem=default"):
        small_stem(linear(num_classes=2, in_channels=1, size=8))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "convnext_atto"])
def test_a_network_of_patches_is_refused(name):
    net = timm_model(name=name, pretrained=False, num_classes=10, in_channels=3, size=224)
    with pytest.raises(Problem, match=r"model\.stem=small .*model\.stem=default"):
        small_stem(net)
