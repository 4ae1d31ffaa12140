"""Let a network see numbers beside each image: they scale and shift the features before its last layer.

The numbers travel as constant planes behind the channels of the image, so that all that handles a batch
handles them, too: mixing by shares, halving, other sizes. Two hooks take them off again; no layer is
replaced, and no weight gets another name. At first nothing is scaled or shifted: the network is the one
without them.

Source: Perez et al. 2018, https://arxiv.org/abs/1709.07871, section 2: feature-wise linear modulation.
"""

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from imagelab.model.head import last_layer

log = logging.getLogger(__name__)
HIDDEN = 32  # units between the numbers and the factors, so that an effect need not be linear
PREFIX = "signal_"  # of weights, in the last layer
LABELS = "signal_labels"  # attribute of that layer


class Beside:
    """The hooks of one network, and the numbers on their way from one to the other.

    Args:
        channels: Number of channels of an image.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.signals: Tensor | None = None

    def take_off(self, net: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Before the network: (B, C + S, H, W) -> (B, C, H, W); an image alone stays as it is."""
        images, *others = given
        planes = images[:, self.channels :]
        self.signals = planes.float().mean(dim=(2, 3)) if planes.shape[1] else None
        if self.signals is None:
            return given
        beside = images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
        layout = torch.channels_last if beside else torch.contiguous_format
        return (images[:, : self.channels].contiguous(memory_format=layout), *others)

    def join(self, layer: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Before the last layer: scale and shift its features by the numbers."""
        features, *others = given
        signals, self.signals = self.signals, None
        if signals is None:
            return given
        weight = layer.signal_hidden
        hidden = functional.linear(signals.to(weight.dtype), weight, layer.signal_bias).relu()
        scale, shift = functional.linear(hidden, layer.signal_film).chunk(2, dim=1)
        ones = (1,) * (features.ndim - 2)
        shape = (
            (len(scale), -1, *ones) if isinstance(layer, nn.Conv2d) else (len(scale), *ones, scale.shape[1])
        )
        return (features * (1 + scale.view(shape)) + shift.view(shape), *others)


def join_signals(net: nn.Module, labels: list[str], channels: int) -> None:
    """Let a network take signals beside its images.

    Args:
        net: Network, changed in place; its last layer gets the weights.
        labels: Names of the S signals; none: the network stays as it is.
        channels: Number of channels of an image.
    """
    if not labels:
        return
    _, layer = last_layer(net)
    features = layer.weight.shape[1]
    with torch.random.fork_rng(devices=[]):  # so that the weights are otherwise those without signals
        first = nn.Linear(len(labels), HIDDEN)
    vars(layer)[LABELS] = labels
    layer.register_parameter("signal_hidden", nn.Parameter(first.weight))
    layer.register_parameter("signal_bias", nn.Parameter(first.bias))
    layer.register_parameter("signal_film", nn.Parameter(torch.zeros(2 * features, HIDDEN)))
    beside = Beside(channels)
    net.register_forward_pre_hook(beside.take_off)
    layer.register_forward_pre_hook(beside.join)


def leave_signals(
    net: nn.Module, saved: dict[str, Tensor], own: dict[str, Tensor], labels: list[str], path: object
) -> None:
    """Drop the weights of signals from two states unless both have them for the same signals.

    Args:
        net: Network to load weights into.
        saved: Weights by name, changed in place.
        own: Weights of the network, changed in place.
        labels: Names of the signals of the saved weights.
        path: Where these come from, for the warning.
    """
    found = [name for name in {**saved, **own} if name.rpartition(".")[2].startswith(PREFIX)]
    if not found or vars(last_layer(net)[1]).get(LABELS, []) == labels:
        return
    for state in (saved, own):
        for name in found:
            state.pop(name, None)
    seen = ", ".join(labels) or "nothing"
    log.warning(f"model.weights={path}: that run saw {seen} besides images; these weights are left out.")
