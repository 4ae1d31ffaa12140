"""The pair of networks: shapes, ranges, what they are told, and layers that pass gradients on."""

import pytest
import torch
from torch import nn

from imagelab.model.dcgan import DCGAN
from imagelab.problem import Problem


def pair(**changes) -> DCGAN:
    torch.manual_seed(0)
    usual = {"num_classes": 3, "in_channels": 1, "size": 8, "latent": 6, "width": 4, "conditional": True}
    return DCGAN(**usual | changes)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (12, 3), (28, 1), (32, 3), (64, 3)])
def test_images_have_the_size_asked_for_and_lie_in_the_range_of_tanh(size, channels):
    net = pair(size=size, in_channels=channels)
    images = net.generator(50 * torch.randn(4, 6), torch.arange(4) % 3)
    assert images.shape == (4, channels, size, size)
    assert -1 <= float(images.min()) < float(images.max()) <= 1
    assert net(images, torch.arange(4) % 3).shape == (4,)


def test_both_networks_use_the_class_only_if_they_are_told():
    noise, images = torch.randn(4, 6), torch.randn(4, 1, 8, 8)
    for conditional in (True, False):
        net = pair(conditional=conditional).eval()
        classes = [torch.full((4,), label) for label in (0, 1)]
        made = [net.generator(noise, label) for label in classes]
        scores = [net(images, label) for label in classes]
        assert torch.equal(*made) != conditional
        assert torch.equal(*scores) != conditional


def test_no_layer_of_the_discriminator_cuts_gradients_off():
    kinds = {type(layer) for layer in pair().discriminator.modules()}
    assert not kinds & {nn.ReLU, nn.MaxPool2d, nn.AvgPool2d}
    images = torch.randn(4, 1, 8, 8, requires_grad=True)
    (slopes,) = torch.autograd.grad(pair()(images, torch.zeros(4, dtype=torch.int64)).sum(), images)
    assert (slopes != 0).all()


@pytest.mark.parametrize(
    ("size", "said"),
    [(30, "30 cannot be halved .* set data.size=28 or 32"), (224, "got 224; set data.size=64")],
)
def test_a_side_that_cannot_be_made_is_refused_with_the_next_ones(size, said):
    with pytest.raises(Problem, match=f"data.size: .*{said}"):
        pair(size=size)
