"""Dropping whole residual branches in training."""

from copy import deepcopy

import pytest
import torch

from imagelab.model.norm import set_norm
from imagelab.model.resnet9 import Residual, ResNet9
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.stochastic_depth import set_stochastic_depth
from imagelab.model.timm import timm_model
from imagelab.model.torchvision import torchvision_model
from imagelab.problem import Problem

RATE, IMAGES = 0.9, 400


def network(library, name, size=32):
    return library(name=name, pretrained=False, num_classes=4, in_channels=3, size=size)


def resnet9():
    return ResNet9(num_classes=4, in_channels=3, width=2, kernel_size=3, join="add", logit_scale=1.0)


def fractions(layer, count=IMAGES):
    """The share of images, of ones, that a layer drops as a whole, and what becomes of the others."""
    ones = torch.ones(count, 3, 2, 2)
    dropped = layer.train()(ones)
    values = dropped.flatten(1)
    assert (values == values[:, :1]).all()
    rate = (values[:, 0] == 0).float().mean().item()
    return rate, values.unique()[rate > 0 :].tolist()


def called(net, kind):
    """The layers of a kind that images pass, in order: those of a block without a sum are never used."""
    seen = []
    for layer in net.modules():
        if type(layer).__name__ == kind:
            layer.register_forward_hook(lambda layer, *_: seen.append(layer))
    net.eval()(torch.zeros(1, 3, 32, 32))
    return list(dict.fromkeys(seen))


# Blocks are those with a sum; two layers a block where it has two branches.
LAYERS = [
    (timm_model, "resnet10t", "DropPath", 4, 1),
    (timm_model, "convnext_atto", "DropPath", 12, 1),
    (timm_model, "vit_tiny_patch16_224", "DropPath", 12, 2),
    (timm_model, "mobilenetv3_small_050", "DropPath", 7, 1),
    (timm_model, "repvgg_a0", "DropPath", 17, 1),
    (torchvision_model, "convnext_tiny", "StochasticDepth", 18, 1),
    (torchvision_model, "efficientnet_b0", "StochasticDepth", 9, 1),
    (torchvision_model, "swin_t", "StochasticDepth", 12, 1),
]


@pytest.mark.parametrize(("library", "name", "kind", "blocks", "branches"), LAYERS)
def test_the_rate_of_a_librarys_own_layers_grows_linearly(library, name, kind, blocks, branches):
    net = network(library, name)
    keys = list(net.state_dict())
    set_stochastic_depth(net, RATE)
    assert list(net.state_dict()) == keys
    layers = called(net, kind)
    assert len(layers) == blocks * branches
    for place, layer in enumerate(layers):
        rate = RATE * (place // branches + 1) / blocks
        found, left = fractions(layer)
        assert found == pytest.approx(rate, abs=4 * (rate * (1 - rate) / IMAGES) ** 0.5)
        assert left == [pytest.approx(1 / (1 - rate))]
        assert (layer.eval()(torch.ones(8, 3)) == 1).all()


HOOKED = {  # network, the layers that its branches end in, how many of them a block has
    "resnet9": (resnet9, lambda name, layer: name.endswith("branch"), 2, 1),
    "torchvision resnet": (
        lambda: network(torchvision_model, "resnet18"),
        lambda name, layer: name.endswith("bn2"),
        8,
        1,
    ),
    "torchvision bottleneck": (
        lambda: network(torchvision_model, "resnet50"),
        lambda name, layer: name.endswith("bn3"),
        16,
        1,
    ),
    "torchvision mobilenet v2": (
        lambda: network(torchvision_model, "mobilenet_v2"),
        lambda name, layer: name.endswith(".conv"),
        10,
        1,
    ),
    "torchvision regnet": (
        lambda: network(torchvision_model, "regnet_y_400mf"),
        lambda name, layer: name.endswith(".f"),
        16,
        1,
    ),
    "torchvision vit": (
        lambda: network(torchvision_model, "vit_b_32"),
        lambda name, layer: "_layer_" in name and name.endswith((".dropout", ".mlp")),
        12,
        2,
    ),
}


@pytest.mark.parametrize("name", HOOKED)
def test_branches_without_such_a_layer_are_dropped_at_the_same_rates(name):
    torch.manual_seed(0)
    make, ends, blocks, branches = HOOKED[name]
    net = make().train()
    keys = list(net.state_dict())
    set_stochastic_depth(net, RATE)
    assert list(net.state_dict()) == keys
    hooked = [layer for name, layer in net.named_modules() if ends(name, layer) and layer._forward_hooks]
    assert len(hooked) == blocks * branches
    for place, layer in enumerate(hooked):
        rate = RATE * (place // branches + 1) / blocks
        hook = next(iter(layer._forward_hooks.values()))
        ones = torch.ones(IMAGES, 3, 2, 2)
        kept = hook(layer, (ones,), ones)
        assert (kept == kept[:, :1, :1, :1]).all()
        found = (kept[:, 0, 0, 0] == 0).float().mean().item()
        assert found == pytest.approx(rate, abs=4 * (rate * (1 - rate) / IMAGES) ** 0.5)
        assert kept.max().item() == pytest.approx(1 / (1 - rate))


def test_an_image_whose_branch_is_dropped_passes_the_block_unchanged():
    torch.manual_seed(0)
    net = resnet9()
    set_stochastic_depth(net, RATE)
    block = net.layer3[2].train()
    assert isinstance(block, Residual)
    maps = torch.randn(IMAGES, 16, 2, 2)
    torch.manual_seed(1)
    through = block(maps)
    same = (through == maps).flatten(1).all(1)
    assert same.float().mean().item() == pytest.approx(RATE, abs=4 * (RATE * (1 - RATE) / IMAGES) ** 0.5)
    handle = next(iter(block.branch._forward_hooks))
    hook = block.branch._forward_hooks.pop(handle)
    full = block(maps) - maps
    torch.testing.assert_close((through - maps)[~same], (full / (1 - RATE))[~same], rtol=1e-4, atol=1e-4)
    assert hook is not None


def test_nothing_is_dropped_in_evaluation_and_copies_drop_too():
    net, images = network(torchvision_model, "resnet18").eval(), torch.randn(4, 3, 32, 32)
    expected = net(images)
    set_stochastic_depth(net, RATE)
    copy = deepcopy(net)
    copy.load_state_dict(net.state_dict())
    assert torch.equal(net(images), expected)
    assert torch.equal(copy(images), expected)
    ends = [layer for layer in copy.train().modules() if layer._forward_hooks]
    assert len(ends) == 8
    assert not torch.equal(copy(images), copy(images))


@pytest.mark.parametrize("norm", ["group", "none", "frozen"])
def test_branches_of_other_norms_are_dropped_too(norm):
    net = network(torchvision_model, "resnet18")
    set_norm(net, norm)
    set_stochastic_depth(net, RATE)
    torch.manual_seed(0)
    block, maps = net.layer4[1].train(), torch.rand(100, 512, 1, 1)
    same = (block(maps) == maps).flatten(1).all(1).float().mean().item()
    assert same == pytest.approx(RATE, abs=4 * (RATE * (1 - RATE) / 100) ** 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(torchvision_model, "vgg11"),
        lambda: network(timm_model, "vgg11"),
        lambda: SmallCNN(num_classes=2, in_channels=3, widths=[4, 8], kernel_size=3),
    ],
)
def test_a_network_without_residual_branches_is_refused(make):
    with torch.device("meta"):
        net = make()
    with pytest.raises(Problem, match=r"model\.stochastic_depth drops residual branches, and (VGG|Small)"):
        set_stochastic_depth(net, 0.2)
