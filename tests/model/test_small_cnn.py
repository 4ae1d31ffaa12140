"""The default network."""

import pytest
import torch
from torch import nn

from imagelab.model.small_cnn import SmallCNN


def small_cnn(in_channels=1):
    return SmallCNN(num_classes=10, in_channels=in_channels, widths=[32, 64, 64], kernel_size=3)


def test_it_has_57_000_parameters():
    assert sum(parameter.numel() for parameter in small_cnn().parameters()) == 56_554


@pytest.mark.parametrize("size", [1, 3, 8, 28, 33, 64])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_images_of_any_size_become_logits(size, in_channels):
    images = torch.randn(2, in_channels, size, size)
    assert small_cnn(in_channels)(images).shape == (2, 10)


def test_every_pixel_reaches_the_logits():
    net = small_cnn().eval()
    image = torch.rand(1, 1, 8, 8, requires_grad=True)
    net(image).square().sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


def test_it_pools_by_maxima_then_by_one_mean_and_has_no_other_linear_layer_than_the_last():
    net = small_cnn()
    kinds = [type(layer).__name__ for layer in net.modules() if not list(layer.children())]
    assert kinds.count("MaxPool2d") == 2
    assert kinds[-2:] == ["AdaptiveAvgPool2d", "Linear"]
    assert kinds.count("Linear") == 1
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    pool = next(layer for layer in net.modules() if isinstance(layer, nn.MaxPool2d))
    assert pool(maps).flatten().tolist() == [5, 7, 13, 15]
