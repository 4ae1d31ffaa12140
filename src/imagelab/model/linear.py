"""Build a linear classifier: the baseline that every other network must beat."""

from torch import nn


class Linear(nn.Sequential):
    """A class of its own, so that messages call the network by its name."""


def linear(*, num_classes: int, in_channels: int, size: int) -> nn.Module:
    """Map the pixels of an image to logits with one linear layer.

    Source: the softmax classifier of CS231n, https://cs231n.github.io/linear-classify/

    Args:
        num_classes: Number of logits, K.
        in_channels: Channels of an image.
        size: Side of an image in pixels.
    """
    return Linear(nn.Flatten(), nn.Linear(in_channels * size**2, num_classes))
