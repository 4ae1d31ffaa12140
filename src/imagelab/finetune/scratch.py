"""Training from scratch: what every transfer has to beat.

Source: He, Girshick & Dollar 2018, https://arxiv.org/abs/1811.08883: with enough data and time it catches up.
"""

import logging
from typing import Any

log = logging.getLogger(__name__)


class Scratch:
    """Leaves out the weights that `model.pretrained` or `model.weights` ask for, and what they expect."""


def without_weights(model: dict[str, Any]) -> dict[str, Any]:
    """A model's config without the weights that it would start from; says so where there were some."""
    asked = [f"model.{key}" for key in ("weights", "pretrained") if model.get(key)]
    if asked:
        log.warning(f"finetune=scratch: {' and '.join(asked)} left out; training starts from random weights.")
    nothing = {"weights": None, "pretrained": False}
    return model | {key: value for key, value in nothing.items() if key in model}
