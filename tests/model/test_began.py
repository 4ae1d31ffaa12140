# room: generators
"""The pair of BEGAN: an autoencoder whose error is the score, a generator that is a decoder, no tanh."""

import pytest
import torch
from torch import nn

from imagelab.model.began import BEGAN


def pair(**changes) -> BEGAN:
    torch.manual_seed(0)
    usual = {"num_classes": 3, "in_channels": 1, "size": 8, "latent": 6, "width": 4, "conditional": True}
    return BEGAN(**usual | changes)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (12, 3), (32, 3), (64, 3)])
def test_images_have_the_size_asked_for_and_no_bounds(size, channels):
    net = pair(size=size, in_channels=channels)
    classes = torch.arange(4) % 3
    images = net.generator(1e6 * torch.randn(4, 6), classes)
    assert images.shape == net.discriminator.drawn(images, classes).shape == (4, channels, size, size)
    assert float(images.detach().abs().max()) > 1
    assert not any(isinstance(layer, nn.Tanh | nn.BatchNorm2d) for layer in net.modules())


def test_a_score_is_minus_the_mean_error_of_the_drawing():
    net, images, classes = pair(), torch.randn(5, 1, 8, 8), torch.arange(5) % 3
    errors = [float((image - net.discriminator.drawn(image[None], label[None])[0]).abs().mean())
              for image, label in zip(images, classes, strict=True)]  # fmt: skip
    torch.testing.assert_close(net(images, classes), -torch.tensor(errors))


def test_the_code_is_as_narrow_as_the_noise():
    net = pair(latent=5)
    assert net.discriminator.encoder(torch.randn(2, 1, 8, 8)).shape == (2, 5)


@pytest.mark.parametrize("conditional", [True, False])
def test_both_networks_use_the_class_only_if_they_are_told(conditional):
    net, noise, images = pair(conditional=conditional), torch.randn(4, 6), torch.randn(4, 1, 8, 8)
    classes = [torch.full((4,), label) for label in (0, 1)]
    assert torch.equal(*(net.generator(noise, label) for label in classes)) != conditional
    assert torch.equal(*(net(images, label) for label in classes)) != conditional


def test_generator_and_decoder_have_the_same_layers():
    net = pair()
    shapes = [[tuple(one.shape) for one in part.parameters()]
              for part in (net.generator, net.discriminator.decoder)]  # fmt: skip
    assert shapes[0] == shapes[1]
