"""Adapt the first layers of a network: to the image channels, and without stride for small images.

Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2 (networks for CIFAR).
"""

import math

from torch import Tensor, nn

from imagelab.problem import Problem


def fit_stem(net: nn.Module, in_channels: int) -> None:
    """Give the first convolution `in_channels` inputs, with weights made of those it has."""
    old = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    if old.in_channels == in_channels:
        return
    old.weight = nn.Parameter(adapt_kernels(old.weight.detach(), in_channels))
    old.in_channels = in_channels


def small_stem(net: nn.Module) -> None:
    """Keep the resolution of small images: a first convolution of 3 x 3 without stride, no pool after it.

    Args:
        net: Changed in place; its new first convolution is untrained.

    Raises:
        Problem: The network begins in another way than with a strided convolution.
    """
    layers = list(net.named_modules())
    name, old = next((name, layer) for name, layer in layers if isinstance(layer, nn.Conv2d))
    if old.stride == (1, 1) or old.kernel_size == old.stride:
        raise Problem(
            f"model.stem=small replaces a first convolution with a stride, and {type(net).__name__} begins "
            f"with {old.kernel_size[0]} x {old.kernel_size[1]}, stride {old.stride[0]}; "
            "leave model.stem=default."
        )
    new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, bias=old.bias is not None)
    net.set_submodule(name, new)
    halving = [(name, layer) for name, layer in layers if _halves(layer) and layer is not old]
    if halving and isinstance(halving[0][1], nn.MaxPool2d):
        net.set_submodule(halving[0][0], nn.Identity())


def _halves(layer: nn.Module) -> bool:
    """Whether a layer of windows takes every second place only."""
    return isinstance(layer, nn.Conv2d | nn.MaxPool2d) and layer.stride in (2, (2, 2))


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
