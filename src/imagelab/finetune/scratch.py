"""Training from scratch: what every transfer has to beat.

Source: He, Girshick & Dollar 2018, https://arxiv.org/abs/1811.08883: with enough data and time it catches up.
"""

from typing import Any


class Scratch:
    """Leaves out the weights that `model.pretrained` or `model.weights` ask for, and what they expect."""


def without_weights(model: dict[str, Any]) -> dict[str, Any]:
    """A model's config without the weights that it would start from."""
    nothing = {"weights": None, "pretrained": False}
    return model | {key: value for key, value in nothing.items() if key in model}
