"""Replace the last layer of a network: by one logit per class, or by another head."""

from collections.abc import Callable

import torch
from torch import nn

from imagelab.model.logits import check_logits
from imagelab.problem import Problem


def fit_head(net: nn.Module, num_classes: int) -> None:
    """Put a new last layer with `num_classes` logits in place of the network's own."""
    name, old = last_layer(net)
    bias = old.bias is not None
    if isinstance(old, nn.Linear):
        net.set_submodule(name, nn.Linear(old.in_features, num_classes, bias=bias))
    else:
        net.set_submodule(name, nn.Conv2d(old.in_channels, num_classes, kernel_size=1, bias=bias))


def set_head(net: nn.Module, make: Callable[[int], nn.Module | None], *, in_channels: int, size: int) -> None:
    """Put another module in place of the last layer; what changes the features before it, as dropout, stays.

    Args:
        net: Changed in place.
        make: Makes what takes so many features, (B, features) -> (B, K); None: the last layer stays.
        in_channels: Channels of the images.
        size: Their side in pixels.

    Raises:
        Problem: The network does not end in features that a linear layer takes.
    """
    name, old = last_layer(net)
    head = make(old.weight.shape[1])
    if head is None:
        return
    if not isinstance(old, nn.Linear):
        raise Problem(f"task: {type(net).__name__} ends in a convolution, not in features; say another model")
    for hook in old._forward_pre_hooks.values():
        head.register_forward_pre_hook(hook)
    net.set_submodule(name, head)
    outputs = head(torch.zeros(1, old.in_features)).shape[1]
    check_logits(net, num_classes=outputs, in_channels=in_channels, size=size)


def last_layer(net: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Name and layer that make the logits: the last with weights, in the order the network names them."""
    layers = [
        (name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    return layers[-1]
