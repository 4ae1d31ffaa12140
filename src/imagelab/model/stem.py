"""The first convolution of a network: as many input channels as the images have."""

import math

from torch import Tensor, nn


def fit_stem(net: nn.Module, in_channels: int) -> None:
    """Give the first convolution `in_channels` inputs, with weights made of those it has."""
    old = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    if old.in_channels == in_channels:
        return
    old.weight = nn.Parameter(adapt_kernels(old.weight.detach(), in_channels))
    old.in_channels = in_channels


def adapt_kernels(weight: Tensor, in_channels: int) -> Tensor:
    """Kernels (F, C, H, W) -> (F, in_channels, H, W) that answer about as strongly.

    One channel gets the sum over C, which answers to a grey image as before; more repeat the C, scaled.

    Source: adapt_input_conv of timm.
    """
    have = weight.shape[1]
    if in_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    repeated = weight.repeat(1, math.ceil(in_channels / have), 1, 1)[:, :in_channels]
    return repeated * (have / in_channels)
