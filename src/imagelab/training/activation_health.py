"""Measure outputs, dead units, gradients and updates of a network, layer by layer.

Source: Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html, sections 3 and 4; dying units:
Lu et al. 2019, https://arxiv.org/abs/1903.06733, section 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from imagelab.finding import Status
from imagelab.model.activation import is_activation

Stats = dict[str, dict[str, Tensor]]  # layer -> statistic -> scalar on the device
Numbers = dict[str, dict[str, float]]

STATUSES: tuple[Status, ...] = ("FAIL", "WARN")
GROWTH = {"WARN": (0.02, 50.0), "FAIL": (1e-4, 1e4)}  # std of the last hidden layer over that of the first
DEAD = {"WARN": 0.25, "FAIL": 0.9}  # fraction of a layer's units
FLAT = 1e-6  # a unit that varies by less than this fraction of its layer's largest output is dead
FEW = 16  # fewest values per unit: with fewer, all may be zero by chance


class Finding(NamedTuple):
    """A problem (growth or dead), with its severity, a sentence, the number and its limits."""

    name: str
    status: Status
    sentence: str
    value: float
    expected: str


def layers_to_watch(net: nn.Module, most: int) -> list[str]:
    """Choose up to `most` layers with weights, in order: the first, the last, and some evenly between.

    >>> layers_to_watch(nn.Sequential(*[nn.Linear(2, 2) for _ in range(9)]), most=3)
    ['0', '4', '8']
    """
    names = [name for name, layer in net.named_modules() if isinstance(layer, nn.Linear | _ConvNd)]
    places = np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)
    return [names[place] for place in places]


@contextmanager
def watching(net: nn.Module, names: Sequence[str]) -> Iterator[Stats]:
    """Collect `mean`, `std` and, if an activation layer follows, `dead` of the outputs of layers.

    They are those of the last forward pass in the context, and are not waited for. A unit is a channel of a
    convolution or an output of a linear layer. A layer that is not called as a module has no entry.
    """
    stats: Stats = {}
    last: list[str] = []  # the layer with weights that was called last, watched or not

    def put_out(name: str, layer: nn.Module, output: Any) -> None:
        last[:] = [name]
        if name in names and isinstance(output, Tensor):
            std, mean = torch.std_mean(output.detach().float())
            stats[name] = {"mean": mean, "std": std}

    def activated(output: Any) -> None:
        if last and last[0] in stats and isinstance(output, Tensor):
            share = dead_share(output.detach(), 1 if isinstance(net.get_submodule(last[0]), _ConvNd) else -1)
            stats[last[0]] |= {} if share is None else {"dead": share}

    hooks = []
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Linear | _ConvNd):
            hook = layer.register_forward_hook(lambda layer, _, out, name=name: put_out(name, layer, out))
            hooks.append(hook)
        elif is_activation(layer) or isinstance(layer, nn.Sigmoid):
            hooks.append(layer.register_forward_hook(lambda layer, _, out: activated(out)))
    try:
        yield stats
    finally:
        for hook in hooks:
            hook.remove()


def dead_share(output: Tensor, axis: int) -> Tensor | None:
    """The fraction of units with the same output for every image and place; None if values are too few.

    >>> dead_share(torch.arange(64.0).view(32, 2) * torch.tensor([1.0, 0.0]), axis=1)
    tensor(0.5000)
    """
    if output.numel() < FEW * output.shape[axis]:
        return None
    others = [place for place in range(output.ndim) if place != axis % output.ndim]
    low, high = output.amin(dim=others), output.amax(dim=others)
    return (high - low <= FLAT * torch.maximum(high.abs(), low.abs()).amax()).float().mean()


def gradient_norms(net: nn.Module, names: Sequence[str]) -> dict[str, Tensor]:
    """The gradient norm of each layer's weights, for layers that have a gradient."""
    weights = {name: net.get_submodule(name).weight for name in names}
    found = {name: weight.grad for name, weight in weights.items() if isinstance(weight, nn.Parameter)}
    return _norms({name: gradient for name, gradient in found.items() if gradient is not None})


def weights_of(net: nn.Module, names: Sequence[str]) -> dict[str, Tensor]:
    """Copies of the layers' weights."""
    return {name: _weight(net, name).clone() for name in names}


def update_ratios(net: nn.Module, before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The norm of each layer's weight update in a step, relative to the weights before it."""
    changes = _norms({name: _weight(net, name) - weight for name, weight in before.items()})
    return {name: changes[name] / norm.clamp(min=1e-30) for name, norm in _norms(before).items()}


def numbers(stats: Stats) -> Numbers:
    """All statistics as numbers, fetched from the device at once."""
    flat = [value.float() for values in stats.values() for value in values.values()]
    fetched = iter(torch.stack(flat).tolist() if flat else [])
    return {layer: {name: next(fetched) for name in values} for layer, values in stats.items()}


def findings(stats: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    """Problems, the worst first; `stats` by layer, in order, the last one returns the logits.

    >>> findings({"a": {"std": 1.0}, "b": {"std": 1e-5}, "head": {"std": 1.0}})[0].sentence
    'the outputs shrink: the std of b is 1e-05 of that of a'
    """
    found = [*_growth(stats), *_dead(stats)]
    return sorted(found, key=lambda finding: finding.status != "FAIL")


def _growth(stats: Mapping[str, Mapping[str, float]]) -> Iterator[Finding]:
    hidden = [(layer, values["std"]) for layer, values in stats.items() if "std" in values][:-1]
    if len(hidden) < 2 or hidden[0][1] <= 0:
        return
    first, before = hidden[0]
    last, after = hidden[-1]
    ratio = after / before
    for status in STATUSES:
        low, high = GROWTH[status]
        if not low <= ratio <= high:
            verb = "shrink" if ratio < low else "grow"
            sentence = f"the outputs {verb}: the std of {last} is {ratio:.3g} of that of {first}"
            yield Finding("growth", status, sentence, ratio, f"{low:g} to {high:g}")
            return


def _dead(stats: Mapping[str, Mapping[str, float]]) -> Iterator[Finding]:
    shares = {layer: values["dead"] for layer, values in stats.items() if "dead" in values}
    if not shares:
        return
    worst = max(shares, key=lambda layer: shares[layer])
    for status in STATUSES:
        if shares[worst] > DEAD[status]:
            sentence = f"{shares[worst]:.0%} of the units of {worst} are dead: the same for every image"
            yield Finding("dead", status, sentence, shares[worst], f"at most {DEAD[status]:g}")
            return


def _norms(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    values = [tensor.detach() for tensor in tensors.values()]
    return dict(zip(tensors, torch._foreach_norm(values) if values else [], strict=True))  # pyright: ignore[reportPrivateImportUsage]


def _weight(net: nn.Module, name: str) -> Tensor:
    weight = net.get_submodule(name).weight
    assert isinstance(weight, Tensor)
    return weight.detach()
