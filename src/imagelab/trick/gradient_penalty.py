# room: generators
"""Bound the slope of a discriminator by a term of its loss.

Sources: Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028, equation 3; Mescheder et al. 2018,
https://arxiv.org/abs/1801.04406, equation 9 (R1); Karras et al. 2020, https://arxiv.org/abs/1912.04958,
section 4 (a term every few steps).
"""

from collections.abc import Callable

import torch
from torch import Tensor

Judge = Callable[[Tensor], Tensor]


class GradientPenalty:
    """WGAN-GP: between real and generated images the slope of the critic should be 1.

    Args:
        strength: Factor of the mean of (slope - 1)^2, > 0.
        every: Steps between two terms, >= 1; each counts as many times.
    """

    needs_critic = True
    needs_single_images = True
    bounds_critic = True

    def __init__(self, *, strength: float, every: int) -> None:
        self.strength, self.every = strength, every

    def critic_penalty(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The term at a random point between each real image (B, C, H, W) and a generated one, a scalar."""
        share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
        slopes = slopes_of(judge, torch.lerp(real, fake.to(real.dtype), share))
        return self.strength * (slopes.norm(dim=1) - 1).square().mean()


class R1:
    """R1: on real images the discriminator should be flat.

    Args:
        strength: gamma: half of it is the factor of the mean of slope^2, > 0.
        every: Steps between two terms, >= 1; each counts as many times.
    """

    needs_critic = True
    needs_single_images = True
    bounds_critic = True

    def __init__(self, *, strength: float, every: int) -> None:
        self.strength, self.every = strength, every

    def critic_penalty(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The term at the real images (B, C, H, W), a scalar."""
        return self.strength / 2 * slopes_of(judge, real).square().sum(dim=1).mean()


def slopes_of(judge: Judge, images: Tensor) -> Tensor:
    """The gradients of the scores of images (B, C, H, W) by their pixels, (B, C * H * W) float32."""
    points = images.detach().float().requires_grad_()
    with torch.autocast(images.device.type, enabled=False):
        scores = judge(points)
    (found,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    return found.flatten(1)
