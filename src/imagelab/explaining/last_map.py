"""Find the layer of a convolutional network whose output is its last map of the image."""

from typing import Any

import torch
from torch import Tensor, nn

LEAST = 4  # places along each side: a coarser map says hardly where


def last_map(net: nn.Module, image: Tensor) -> nn.Module | None:
    """The last layer whose output has channels and at least 4 x 4 places, or the finest if none has.

    None if what precedes the logits is no such map: tokens, as in vision transformers, or a vector.

    Args:
        net: Network in evaluation mode, left unchanged.
        image: One preprocessed image, (1, C, H, W) float.
    """
    calls: list[tuple[nn.Module, torch.Size]] = []

    def keep(layer: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim > 2 and max(output.shape[2:]) > 1:
            calls.append((layer, output.shape))

    hooks = [layer.register_forward_hook(keep) for layer in net.modules() if layer is not net]
    try:
        with torch.no_grad():
            net(image)
    finally:
        for hook in hooks:
            hook.remove()
    found: tuple[nn.Module, int] | None = None
    for layer, shape in reversed(calls):
        if len(shape) != 4 or shape[2] != shape[3]:
            break
        if found is None or found[1] < min(LEAST, shape[3]):
            found = layer, shape[3]
    return found[0] if found else None
