"""Replace the activation function of a network."""

import inspect
import re
from collections.abc import Callable
from functools import partial

from torch import nn

from imagelab.model.replace import replace_layers
from imagelab.problem import Problem

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}

# Sigmoids stay: in published networks they are gates between 0 and 1, not activations.
REPLACED = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU,
    nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus, nn.Tanh,
)  # fmt: skip
TIMM_REPLACED = {"Swish", "Mish", "HardSwish", "HardMish", "GELU", "GELUTanh", "QuickGELU", "Tanh"}
FUNCTION = re.compile(r"\b(?:F|functional|torch)\.(?:relu6?|leaky_relu|gelu|silu|hardswish|elu)_?\(")


def set_activation(net: nn.Module, name: str, slope: float | None = None) -> None:
    """Replace every activation layer of a network, except gates, with the named one.

    Args:
        net: Network, changed in place.
        name: Key of `ACTIVATIONS`.
        slope: Slope of leaky_relu for negative inputs; None: torch's.

    Raises:
        Problem: The network has no activation layer, or calls activations as functions.
    """
    calls = {type(layer).__name__ for layer in net.modules() if _calls_a_function(layer)}
    if calls:
        raise Problem(
            f"model.activation={name} replaces layers, but in {type(net).__name__} "
            f"{', '.join(sorted(calls))} calls its activation as a function; keep model.activation=default "
            "or choose another network."
        )
    make = ACTIVATIONS[name] if slope is None else partial(nn.LeakyReLU, slope)
    replaced = replace_layers(net, lambda layer: _like(layer, make()) if is_activation(layer) else None)
    if not replaced:
        raise Problem(
            f"model.activation={name}: {type(net).__name__} has no activation layer to replace; "
            "keep model.activation=default."
        )
    for layer in net.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.inplace = False  # some activations need their output for the gradient


def is_activation(layer: nn.Module) -> bool:
    """Whether a layer is an activation of torch or timm; sigmoids count as gates."""
    kind = type(layer)
    of_timm = kind.__module__ == "timm.layers.activations" or kind.__module__ == "timm.layers.activations_me"
    return isinstance(layer, REPLACED) or (of_timm and kind.__name__.removesuffix("Me") in TIMM_REPLACED)


def _like(old: nn.Module, new: nn.Module) -> nn.Module:
    if isinstance(new, nn.ReLU | nn.LeakyReLU | nn.SiLU):
        new.inplace = bool(getattr(old, "inplace", False))
    return new


def _calls_a_function(layer: nn.Module) -> bool:
    if is_activation(layer):
        return False
    try:
        return FUNCTION.search(inspect.getsource(type(layer).forward)) is not None
    except (OSError, TypeError):  # no source: generated or compiled code
        return False
