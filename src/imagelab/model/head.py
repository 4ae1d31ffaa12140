"""The last layer of a network: as many logits as there are classes."""

from torch import nn


def fit_head(net: nn.Module, num_classes: int) -> None:
    """Put a new last layer with `num_classes` logits in place of the network's own."""
    name, old = last_layer(net)
    bias = old.bias is not None
    if isinstance(old, nn.Linear):
        net.set_submodule(name, nn.Linear(old.in_features, num_classes, bias=bias))
    else:
        net.set_submodule(name, nn.Conv2d(old.in_channels, num_classes, kernel_size=1, bias=bias))


def last_layer(net: nn.Module) -> tuple[str, nn.Linear | nn.Conv2d]:
    """Name and layer that make the logits: the last with weights, in the order the network names them."""
    layers = [
        (name, layer) for name, layer in net.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)
    ]
    return layers[-1]
