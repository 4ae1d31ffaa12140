"""Add penalties on the size of the weights to the loss: L1, L2, and a mixture of both.

They apply to the parameters that weight decay applies to: no biases, no norms, nothing frozen. A weight that
L1 pulls to zero stays near it but is seldom exactly zero, since gradient steps overshoot.

Source: L1: Tibshirani 1996, https://doi.org/10.1111/j.2517-6161.1996.tb02080.x; L2: Krogh and Hertz 1991, "A
Simple Weight Decay Can Improve Generalization"; both: Zou and Hastie 2005,
https://doi.org/10.1111/j.1467-9868.2005.00503.x, in the notation of
https://scikit-learn.org/stable/modules/linear_model.html#elastic-net
"""

import torch
from torch import Tensor, nn

from imagelab.optimizer.param_groups import decaying


class L1:
    """strength * sum of |w|.

    Args:
        strength: Factor of the sum, > 0; the gradient of the term is strength * sign(w).
    """

    def __init__(self, *, strength: float) -> None:
        self.strength = strength

    def penalty(self, net: nn.Module) -> Tensor:
        return self.strength * _weights(net).abs().sum()


class L2:
    """strength / 2 * sum of w^2: with plain SGD the same as `optimizer.weight_decay` = strength.

    Adaptive optimizers rescale the gradient of this term like any other; AdamW does not rescale weight decay.

    Args:
        strength: Factor of half the sum, > 0; the gradient of the term is strength * w.
    """

    def __init__(self, *, strength: float) -> None:
        self.strength = strength

    def penalty(self, net: nn.Module) -> Tensor:
        return self.strength / 2 * _weights(net).square().sum()


class Elastic:
    """strength * (ratio * sum of |w| + (1 - ratio) / 2 * sum of w^2), as scikit-learn's elastic net.

    Args:
        strength: Factor of both terms, > 0; scikit-learn's alpha.
        ratio: Weight of L1, in [0, 1]: 1 is `l1`, 0 is `l2`; scikit-learn's l1_ratio.
    """

    def __init__(self, *, strength: float, ratio: float) -> None:
        self.strength = strength
        self.ratio = ratio

    def penalty(self, net: nn.Module) -> Tensor:
        weights = _weights(net)
        both = self.ratio * weights.abs().sum() + (1 - self.ratio) / 2 * weights.square().sum()
        return self.strength * both


def _weights(net: nn.Module) -> Tensor:
    """All penalised weights in one vector, (N,), in float32 or wider, since their sum can be large."""
    weights = [weight.flatten() for weight in decaying(net).values()]
    flat = torch.cat(weights) if weights else next(net.parameters()).new_zeros(1)
    return flat.to(torch.promote_types(flat.dtype, torch.float32))
