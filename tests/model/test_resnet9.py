"""The network for CIFAR-size images."""

import pytest
import torch

from imagelab.model.resnet9 import ResNet9


def resnet9(width=8, logit_scale=0.125):
    return ResNet9(
        num_classes=10, in_channels=3, width=width, kernel_size=3, join="add", logit_scale=logit_scale
    )


def test_it_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in resnet9(width=64).parameters()) == 6_573_120


@pytest.mark.parametrize("size", [8, 32, 50, 64])
def test_images_of_any_size_become_logits(size):
    assert resnet9()(torch.randn(2, 3, size, size)).shape == (2, 10)


def test_the_logits_are_scaled():
    net, images = resnet9(logit_scale=1.0).eval(), torch.randn(2, 3, 32, 32)
    scaled = resnet9(logit_scale=0.125).eval()
    scaled.load_state_dict(net.state_dict())
    torch.testing.assert_close(scaled(images), net(images) / 8)


def test_a_residual_block_of_zeros_returns_its_input():
    residual = resnet9().layer3[2]
    for parameter in residual.parameters():
        torch.nn.init.zeros_(parameter)
    features = torch.randn(2, 64, 4, 4)
    assert torch.equal(residual(features), features)


@pytest.mark.parametrize("join", ["add", "concat", "multiply"])
def test_branches_are_joined_as_asked_and_every_weight_learns(join):
    net = ResNet9(num_classes=3, in_channels=1, width=4, kernel_size="1x3", join=join, logit_scale=1.0)
    block, x = net.layer3[2].eval(), torch.rand(2, 32, 4, 4)
    branch = block.branch(x)
    expected = {"add": x + branch, "concat": torch.cat([x, branch], 1), "multiply": x + x * branch}
    torch.testing.assert_close(block(x), expected[join])
    net(torch.randn(4, 1, 16, 16)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in net.parameters())


@pytest.mark.parametrize("join", ["add", "concat"])
def test_each_norm_comes_after_its_convolution_and_before_its_activation(join):
    net = ResNet9(num_classes=10, in_channels=3, width=8, kernel_size=3, join=join, logit_scale=0.125)
    order = []
    for layer in net.modules():
        layer.register_forward_hook(lambda module, *_: order.append(type(module).__name__))
    net(torch.randn(2, 3, 32, 32))
    norms = [place for place, kind in enumerate(order) if kind == "BatchNorm2d"]
    assert len(norms) == 8
    assert {(order[place - 1], order[place + 1]) for place in norms} == {("Conv2d", "ReLU")}
