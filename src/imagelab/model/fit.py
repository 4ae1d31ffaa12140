"""What every network takes besides its own arguments, in the one order that works."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from imagelab.model.activation import set_activation
from imagelab.model.init import init_weights
from imagelab.model.lsuv import lsuv
from imagelab.model.norm import set_norm
from imagelab.model.weights import load_weights
from imagelab.problem import Problem

LOOKED_AT = 64  # images: the paper sees no difference between few and many
SHOWN = 3  # names in a sentence
log = logging.getLogger(__name__)


def fit_model(
    net: nn.Module,
    *,
    activation: str,
    norm: str,
    init: str,
    weights: str | None,
    channels_last: bool,
    sample: Callable[[int], Tensor] | None = None,
) -> nn.Module:
    """Change the layers, then draw the weights, then load some over them, then lay them out in memory.

    Args:
        net: Changed in place.
        activation: See `set_activation`; `default` leaves the network's own, as in the next two.
        norm: See `set_norm`.
        init: See `init_weights`, and `lsuv`.
        weights: See `load_weights`.
        channels_last: Whether weights lie in that memory format; the images have to as well.
        sample: So many training images (B, C, H, W) as the network sees them, for an init that looks at some.
    """
    if activation != "default":
        set_activation(net, activation)
    if norm != "default":
        set_norm(net, norm)
    if init == "lsuv":
        _lsuv(net, sample)
    elif init != "default":
        init_weights(net, init)
    if weights is not None:
        load_weights(net, weights)
    return net.to(memory_format=torch.channels_last) if channels_last else net


def _lsuv(net: nn.Module, sample: Callable[[int], Tensor] | None) -> None:
    if sample is None:
        raise Problem("model.init=lsuv looks at training images, and there are none here; say another init.")
    left = lsuv(net, sample(LOOKED_AT))
    if left:
        names = ", ".join(left[:SHOWN]) + ", ..." * (len(left) > SHOWN)
        log.warning(
            f"model.init=lsuv: {len(left)} layers of {type(net).__name__} keep orthogonal weights: what "
            f"leaves them cannot be measured, or does not follow them ({names})."
        )
