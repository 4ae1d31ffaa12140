"""Check that a network maps images of the given size to one logit per class."""

import torch
from torch import Tensor, nn

from imagelab.problem import Problem, first_line


def check_logits(net: nn.Module, *, num_classes: int, in_channels: int, size: int) -> None:
    """Run the network on one black image, on its own device, and check the output.

    Raises:
        Problem: The network cannot take such an image, or its output is not (1, num_classes).
    """
    image = next(net.parameters(), torch.zeros(())).new_zeros(1, in_channels, size, size)
    try:
        logits = _run_in_eval_mode(net, image)
    except (RuntimeError, AssertionError, ValueError, IndexError, ZeroDivisionError) as error:
        raise Problem(
            f"{type(net).__name__} cannot take images of {in_channels} x {size} x {size} "
            f"({first_line(error)}). Try a larger data.size (224 is what most networks for photos are "
            "made for), or another network."
        ) from error
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (1, num_classes):
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise Problem(f"{type(net).__name__} returns {found} for one image, not logits (1, {num_classes}).")


def _run_in_eval_mode(net: nn.Module, image: Tensor) -> object:
    trains = {layer: layer.training for layer in net.modules()}
    try:
        with torch.no_grad():
            return net.eval()(image)
    finally:
        for layer, training in trains.items():
            layer.training = training
