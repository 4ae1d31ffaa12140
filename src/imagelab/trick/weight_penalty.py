"""Penalties on the size of the weights, added to the loss: L1, L2, and a mixture of both.

They count what decays: weights, no biases and no norms, none that is frozen. A weight that L1 draws to zero
comes near it and stays there, but is seldom exactly zero, since steps of gradient descent pass it by.

Source: L1: Tibshirani 1996, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x; L2: Krogh and Hertz 1991, "A
Simple Weight Decay Can Improve Generalization"; both: Zou and Hastie 2005,
https://doi.org/10.1111/j.1467-9868.2005.00503.x, in the notation of
https://scikit-learn.org/stable/modules/linear_model.html#elastic-net
"""

import torch
from torch import Tensor, nn

from imagelab.optimizer.param_groups import decaying
from imagelab.problem import Problem


class L1:
    """strength * sum of |w|.

    Args:
        strength: Factor of the sum, > 0; the term's gradient is it, with the weight's sign.
    """

    def __init__(self, *, strength: float) -> None:
        self.strength = _positive("l1", strength)

    def penalty(self, net: nn.Module) -> Tensor:
        return self.strength * _weights(net).abs().sum()


class L2:
    """strength / 2 * sum of w^2: with plain SGD the same as `optimizer.weight_decay` = strength.

    Adaptive optimizers divide this term's gradient as any other, which AdamW does not do to its weight decay.

    Args:
        strength: Factor of half the sum, > 0; the term's gradient is it times the weight.
    """

    def __init__(self, *, strength: float) -> None:
        self.strength = _positive("l2", strength)

    def penalty(self, net: nn.Module) -> Tensor:
        return self.strength / 2 * _weights(net).square().sum()


class Elastic:
    """strength * (ratio * sum of |w| + (1 - ratio) / 2 * sum of w^2), as scikit-learn's elastic net.

    Args:
        strength: Factor of both, > 0; scikit-learn's alpha.
        ratio: Share of L1, in [0, 1]: 1 is `l1`, 0 is `l2`; scikit-learn's l1_ratio.
    """

    def __init__(self, *, strength: float, ratio: float) -> None:
        self.strength = _positive("elastic", strength)
        if not 0 <= ratio <= 1:
            raise Problem(f"trick.elastic.ratio: wants a share from 0 (L2) to 1 (L1), got {ratio}")
        self.ratio = ratio

    def penalty(self, net: nn.Module) -> Tensor:
        weights = _weights(net)
        both = self.ratio * weights.abs().sum() + (1 - self.ratio) / 2 * weights.square().sum()
        return self.strength * both


def _weights(net: nn.Module) -> Tensor:
    """All weights that count, one after the other, (N,), in float32 or better: their sum can be large."""
    weights = [weight.flatten() for weight in decaying(net).values()]
    flat = torch.cat(weights) if weights else next(net.parameters()).new_zeros(1)
    return flat.to(torch.promote_types(flat.dtype, torch.float32))


def _positive(name: str, strength: float) -> float:
    if strength <= 0:
        raise Problem(f"trick.{name}.strength: wants a number above 0, got {strength}")
    return strength
