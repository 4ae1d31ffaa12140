"""Change some images of a batch without letting the host wait for the device."""

from collections.abc import Callable

import torch
from torch import Tensor


def change_chosen(images: Tensor, chosen: Tensor, change: Callable[..., Tensor], *numbers: Tensor) -> Tensor:
    """Images (B, C, H, W), of which those that are chosen are changed; overwrites them on a CPU.

    A CPU changes the chosen ones alone. Other devices compute all: which ones are chosen is known only there,
    and to ask would stop the host until the device has done everything before.

    Args:
        images: (B, C, H, W).
        chosen: (B,) bool.
        change: Function of the images, and of numbers for each of them, that keeps shape and type.
        numbers: Tensors (B, ...).
    """
    if images.device.type != "cpu":
        return torch.where(chosen[:, None, None, None], change(images, *numbers), images)
    rows = chosen.nonzero()[:, 0]
    if len(rows):
        images[rows] = change(images[rows], *(some[rows] for some in numbers))
    return images
