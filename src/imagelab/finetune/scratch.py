"""Train from scratch: the baseline that transfer has to beat.

Source: He, Girshick & Dollar 2018, https://arxiv.org/abs/1811.08883: with enough data and time it catches up.
"""


class Scratch:
    """Ignore the weights that `model.pretrained` or `model.weights` ask for, and their preprocessing."""

    from_scratch = True
