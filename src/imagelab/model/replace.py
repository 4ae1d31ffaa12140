"""Replace layers of a network."""

from collections.abc import Callable

from torch import nn


def replace_layers(net: nn.Module, make: Callable[[nn.Module], nn.Module | None]) -> int:
    """Replace each layer of a network with what `make` returns for it; return the number replaced.

    Args:
        net: Network, changed in place.
        make: Layer -> its replacement, or None to keep it and try the layers inside it.
    """
    count = 0
    for parent in list(net.modules()):
        for name, layer in list(parent.named_children()):
            new = make(layer)
            if new is not None:
                setattr(parent, name, new)
                count += 1
    return count
