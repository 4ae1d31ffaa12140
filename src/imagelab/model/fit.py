"""Apply the options that every network takes, in the one order that works."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from imagelab.model.activation import set_activation
from imagelab.model.detector import Detector  # room: detection
from imagelab.model.detector_weights import load_detector_weights  # room: detection
from imagelab.model.dropout import set_dropout, set_dropout2d
from imagelab.model.init import init_weights
from imagelab.model.lsuv import lsuv
from imagelab.model.norm import set_norm
from imagelab.model.pool import set_pool
from imagelab.model.reparametrize import REPARAMETRIZED, reparametrize
from imagelab.model.stem import small_stem
from imagelab.model.stochastic_depth import set_stochastic_depth
from imagelab.model.weights import load_weights
from imagelab.problem import Problem, some_of

LOOKED_AT = 64  # images for LSUV: the paper sees no difference between few and many
NAMED = 3  # names in a sentence
log = logging.getLogger(__name__)


def fit_model(
    net: nn.Module,
    *,
    norm: str,
    init: str,
    weights: str | None,
    dropout: float | None,
    dropout2d: float | None,
    stochastic_depth: float | None,
    channels_last: bool,
    sample: Callable[[int], Tensor] | None = None,
    classes: list[str] | None = None,
    **layers: Any,
) -> nn.Module:
    """Change the layers, draw the weights, load weights over them, then set up dropout, in this order.

    Args:
        net: Network, changed in place.
        norm: `default`, or a name for `set_norm`; weight and spectral are for `reparametrize`, too.
        init: `default`, `lsuv`, or a name for `init_weights`.
        weights: Path for `load_weights`; None: no weights are loaded.
        dropout: Rate for `set_dropout`; None: off.
        dropout2d: Rate for `set_dropout2d`; None: off.
        stochastic_depth: Rate for `set_stochastic_depth`; None: off.
        channels_last: Whether weights have the channels-last memory format; images must have it, too.
        sample: Count -> training images (B, C, H, W) as the network sees them, for LSUV.
        classes: Names of the logits, to detect weights for other classes.
        layers: The other options, for `change_layers`.
    """
    change_layers(net, norm=norm, **layers)
    _draw(net, init, sample)
    if norm in REPARAMETRIZED:
        reparametrize(net, norm)
    if isinstance(net, Detector) and weights is not None:  # room: detection
        load_detector_weights(net, weights, classes)
        weights = None
    if weights is not None:
        load_weights(net, weights, classes)
    _leave_out(net, dropout, dropout2d, stochastic_depth)
    return net.to(memory_format=torch.channels_last) if channels_last else net


def change_layers(
    net: nn.Module,
    *,
    stem: str,
    activation: str,
    slope: float | None,
    norm: str,
    pool: str,
    pool_ratio: float | None,
) -> None:
    """Replace layers: first the pooling, which adds some, then activations and norms.

    Args:
        net: Network, changed in place.
        stem: `small` (see `small_stem`), or `default`, which keeps the network's own.
        activation: `default`, or a name for `set_activation`.
        slope: Slope of leaky_relu for negative inputs; None: torch's.
        norm: `default`, or a name for `set_norm`.
        pool: `fractional_max` (see `set_pool`), or `default`.
        pool_ratio: Ratio of each pooling, for `set_pool`.
    """
    if stem == "small":
        small_stem(net)
    if pool != "default":
        set_pool(net, pool_ratio)
    if activation != "default":
        set_activation(net, activation, slope)
    if norm != "default":
        set_norm(net, norm)


def _draw(net: nn.Module, init: str, sample: Callable[[int], Tensor] | None) -> None:
    if init == "lsuv":
        _lsuv(net, sample)
    elif init != "default":
        init_weights(net, init)


def _leave_out(
    net: nn.Module, dropout: float | None, dropout2d: float | None, stochastic_depth: float | None
) -> None:
    rates = ((set_dropout, dropout), (set_dropout2d, dropout2d), (set_stochastic_depth, stochastic_depth))
    for leave_out, rate in rates:
        if rate is not None:
            leave_out(net, rate)


def _lsuv(net: nn.Module, sample: Callable[[int], Tensor] | None) -> None:
    if sample is None:
        raise Problem("model.init=lsuv needs training images, and there are none here; choose another init.")
    left = lsuv(net, sample(LOOKED_AT))
    if left:
        log.warning(
            f"model.init=lsuv: {len(left)} layers of {type(net).__name__} keep orthogonal weights, unscaled: "
            f"their output cannot be measured or does not depend on them ({some_of(left, NAMED)})."
        )
