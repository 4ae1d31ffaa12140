"""Scale the learning rate with the effective batch size.

Source: linear: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 2.1; sqrt: Krizhevsky 2014,
https://arxiv.org/abs/1404.5997, section 5.
"""

import math


def scaled_lr(lr: float, rule: str, effective_batch: int, base_batch: int) -> float:
    """The peak rate for this batch size.

    Args:
        lr: Rate meant for `base_batch`.
        rule: none, linear or sqrt.
        effective_batch: Images per step: batch x devices x nodes x accumulation.
        base_batch: Images per step that `lr` is meant for.

    >>> [scaled_lr(0.1, rule, effective_batch=1024, base_batch=256) for rule in ("none", "linear", "sqrt")]
    [0.1, 0.4, 0.2]
    """
    ratio = effective_batch / base_batch
    return lr * {"none": 1.0, "linear": ratio, "sqrt": math.sqrt(ratio)}[rule]
