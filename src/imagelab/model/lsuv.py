"""Initialise by LSUV: scale orthogonal weights until each layer's output has variance 1 on real images.

Source: Mishkin & Matas 2016, https://arxiv.org/abs/1511.06422, algorithm 1.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from imagelab.model.init import init_weights

TOLERANCE = 0.1  # of the variance, as in the paper
ROUNDS = 10
DEAD = 1e-20  # a variance below it is rounding
ATTENDED = ("query", "key", "value")


@torch.no_grad()
def lsuv(net: nn.Module, images: Tensor) -> list[str]:
    """Draw orthogonal weights, then scale layer by layer, in forward order, to an output variance of 1.

    Each layer is scaled before its output is passed on, so one pass is enough. BatchNorm uses the statistics
    of these images, as in training, and gets its running statistics back; dropout is off.

    Args:
        net: Network, changed in place.
        images: (B, C, H, W), normalised as in training; a few dozen.

    Returns:
        Names of the layers left unscaled: never called, dead, or scaled by the network itself.
    """
    init_weights(net, "orthogonal")
    scaling = Scaling()
    hooks = [hook for name, layer in net.named_modules() for hook in scaling.hooks(name, layer)]
    try:
        with _as_in_training(net):
            net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return list(scaling.waiting)


class Scaling:
    """Scales each layer the first time it is called; `waiting` lists those not yet scaled."""

    def __init__(self) -> None:
        self.waiting: dict[str, None] = {}  # in the order of the network

    def hooks(self, name: str, layer: nn.Module) -> Iterator[Any]:
        """Attach the hooks that scale a layer's own weights, if it has any."""
        if isinstance(layer, nn.MultiheadAttention):
            if layer.in_proj_weight is not None:
                self.waiting[name] = None
                yield layer.register_forward_pre_hook(partial(self._projections, name), with_kwargs=True)
            out = partial(self._output, f"{name}.out_proj", layer.out_proj.weight)
            yield layer.register_forward_hook(out, with_kwargs=True)  # it calls no layer for its output
        elif isinstance(layer, nn.Linear | _ConvNd):
            self.waiting[name] = None
            out = partial(self._output, name, layer.weight)
            yield layer.register_forward_hook(out, with_kwargs=True)

    def _projections(
        self, name: str, layer: nn.MultiheadAttention, args: tuple[Tensor, ...], kwargs: Mapping[str, Any]
    ) -> None:
        if name not in self.waiting or layer.in_proj_weight is None:
            return
        inputs = [*args[:3], *(kwargs[key] for key in ATTENDED[len(args) :])]
        again = [
            partial(functional.linear, x, weight)
            for x, weight in zip(inputs, layer.in_proj_weight.detach().chunk(3), strict=True)
        ]
        done = [scale(one.args[1], one(), one) is not None for one in again]
        if all(done):
            del self.waiting[name]

    def _output(
        self, name: str, weight: Tensor, layer: nn.Module, args: Any, kwargs: Any, output: Any
    ) -> Any:
        if name not in self.waiting:
            return output
        found = scale(weight, output, partial(layer.forward, *args, **kwargs))
        if found is None:
            return output
        del self.waiting[name]
        return found


def scale(weight: Tensor, output: Any, again: Callable[[], Any]) -> Any:
    """Divide weights until the output has variance 1; return that output, or None with the weights unchanged.

    Args:
        weight: Weights, changed in place.
        output: Output of the layer with these weights: a tensor, or a tuple whose first item counts.
        again: Computes the output again.
    """
    drawn = weight.clone()
    for _ in range(ROUNDS + 1):
        variance = (output[0] if isinstance(output, tuple) else output).float().var()
        if (variance - 1).abs() < TOLERANCE:
            return output
        if not variance.isfinite() or variance < DEAD:
            break
        weight.div_(variance.sqrt())
        output = again()
    weight.copy_(drawn)
    return None


@contextmanager
def _as_in_training(net: nn.Module) -> Iterator[None]:
    modes = {layer: layer.training for layer in net.modules()}
    buffers = {buffer: buffer.clone() for buffer in net.buffers()}
    for layer in modes:
        layer.training = isinstance(layer, _BatchNorm)
    try:
        yield
    finally:
        for layer, training in modes.items():
            layer.training = training
        for buffer, before in buffers.items():
            buffer.copy_(before)
