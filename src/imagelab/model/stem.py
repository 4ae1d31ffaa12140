"""Adapt the first layers of a network to the image channels and to small images.

Source: He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2 (networks for CIFAR).
"""

import math

from torch import Tensor, nn

from imagelab.problem import Problem


def fit_stem(net: nn.Module, in_channels: int) -> None:
    """Give the first convolution `in_channels` input channels, with weights made from its own."""
    old = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d))
    if old.in_channels == in_channels:
        return
    old.weight = nn.Parameter(adapt_kernels(old.weight.detach(), in_channels))
    old.in_channels = in_channels


def small_stem(net: nn.Module) -> None:
    """Keep the resolution of small images: first convolution 3 x 3 with stride 1, no pooling after it.

    Args:
        net: Network, changed in place; its new first convolution is untrained.

    Raises:
        Problem: The network does not begin with a strided convolution.
    """
    layers = list(net.named_modules())
    convolutions = [(name, layer) for name, layer in layers if isinstance(layer, nn.Conv2d)]
    if not convolutions:
        raise Problem(
            f"model.stem=small replaces a strided first convolution, and {type(net).__name__} has none; "
            "keep model.stem=default."
        )
    name, old = convolutions[0]
    if old.stride == (1, 1) or old.kernel_size == old.stride:
        raise Problem(
            f"model.stem=small replaces a strided first convolution, and {type(net).__name__} begins with "
            f"{old.kernel_size[0]} x {old.kernel_size[1]}, stride {old.stride[0]}; keep model.stem=default."
        )
    new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, bias=old.bias is not None)
    net.set_submodule(name, new)
    halving = [(name, layer) for name, layer in layers if _halves(layer) and layer is not old]
    if halving and isinstance(halving[0][1], nn.MaxPool2d):
        net.set_submodule(halving[0][0], nn.Identity())


def _halves(layer: nn.Module) -> bool:
    """Whether a convolution or pooling layer has stride 2."""
    return isinstance(layer, nn.Conv2d | nn.MaxPool2d) and layer.stride in (2, (2, 2))


def adapt_kernels(weight: Tensor, in_channels: int) -> Tensor:
    """Kernels (F, C, H, W) -> (F, in_channels, H, W) whose responses are about as large.

    One channel gets the sum over C, so grey images give the same response; more repeat the C, rescaled.

    Source: adapt_input_conv of timm.
    """
    have = weight.shape[1]
    if in_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    repeated = weight.repeat(1, math.ceil(in_channels / have), 1, 1)[:, :in_channels]
    return repeated * (have / in_channels)
