"""Training from scratch: what every transfer has to beat.

Source: He, Girshick & Dollar 2018, https://arxiv.org/abs/1811.08883: with enough data and time it catches up.
"""


class Scratch:
    """Leaves out the weights that `model.pretrained` or `model.weights` ask for, and what they expect."""

    from_scratch = True
