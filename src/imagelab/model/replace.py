"""Replace layers of a network."""

from collections.abc import Callable

from torch import nn


def replace_layers(net: nn.Module, make: Callable[[nn.Module], nn.Module | None]) -> int:
    """Put what `make` returns for a layer in its place, everywhere in the network, and count the places.

    Args:
        net: Changed in place.
        make: Layer -> the one to stand there, or None to leave it and look at the layers inside it.
    """
    count = 0
    for parent in list(net.modules()):
        for name, layer in list(parent.named_children()):
            new = make(layer)
            if new is not None:
                setattr(parent, name, new)
                count += 1
    return count
