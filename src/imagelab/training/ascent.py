"""Climb from the weights to the point within a given distance where the loss is highest, to first order.

Source: Foret et al. 2021, https://arxiv.org/abs/2010.01412, section 2, equation 2 (p = 2).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

TINY = 1e-12  # added to the norm, so that no gradient means no step


@contextmanager
def climbed(weights: Sequence[Tensor], gradients: Sequence[Tensor | None], rho: float) -> Iterator[None]:
    """Let the block run with weights moved by `rho` along their gradient, then restore them to the bit.

    Args:
        weights: Parameters, changed in place.
        gradients: Gradient of the loss by parameter; None: it has none.
        rho: Euclidean length of the move, over all parameters together.
    """
    found = [one for one in gradients if one is not None]
    norm = torch.stack([one.float().norm() for one in found]).norm()
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                weight.add_((gradient.float() * (rho / (norm + TINY))).to(weight.dtype))
    torch.clear_autocast_cache()  # it holds half-precision copies of the weights
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, kept, strict=True):
                weight.copy_(value)
        torch.clear_autocast_cache()
