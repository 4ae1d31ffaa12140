"""Replace the last layer of a network with one logit per class, or with another head."""

from collections.abc import Callable

import torch
from torch import nn

from imagelab.model.logits import check_logits
from imagelab.problem import Problem


def fit_head(net: nn.Module, num_classes: int) -> None:
    """Replace the last layer with a new one that has `num_classes` logits."""
    name, old = last_layer(net)
    bias = old.bias is not None
    if isinstance(old, nn.Linear):
        net.set_submodule(name, nn.Linear(old.in_features, num_classes, bias=bias))
    else:
        net.set_submodule(name, nn.Conv2d(old.in_channels, num_classes, kernel_size=1, bias=bias))


def set_head(
    net: nn.Module,
    make: Callable[[int], nn.Module | None],
    *,
    in_channels: int,
    size: int,
    zero: bool = False,
) -> None:
    """Replace the last layer with another module; hooks on the features before it, such as dropout, stay.

    Args:
        net: Network, changed in place.
        make: Number of features -> module (B, features) -> (B, K), or None to keep the last layer.
        in_channels: Channels of an image.
        size: Side of an image in pixels.
        zero: Whether the bias of a last layer that is kept starts at 0.

    Raises:
        Problem: The network does not end in a linear layer.
    """
    name, old = last_layer(net)
    head = make(old.weight.shape[1])
    if head is None:
        if zero and old.bias is not None:
            nn.init.zeros_(old.bias)
        return
    if not isinstance(old, nn.Linear):
        raise Problem(
            f"task: needs a network that ends in a linear layer, and {type(net).__name__} ends in a "
            "convolution; choose another model"
        )
    for hook in old._forward_pre_hooks.values():
        head.register_forward_pre_hook(hook)
    vars(head)["replaces_head"] = True  # all of it is new, see finetune/head_stage.py
    net.set_submodule(name, head)
    outputs = head(torch.zeros(1, old.in_features)).shape[1]
    check_logits(net, num_classes=outputs, in_channels=in_channels, size=size)


def last_layer(net: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """The layer that makes the logits, with its name: the last with weights in the order of the network."""
    layers = [
        (name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    return layers[-1]
