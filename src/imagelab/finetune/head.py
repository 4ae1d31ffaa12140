"""Find and run the head of a network by itself, from features to logits."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from imagelab.finetune.head_stage import tuned_stages


class Head(nn.Module):
    """Some layers of a network, one after the other: features (B, ...) -> logits (B, K).

    Args:
        net: Whole network, or a copy of it.
        layers: Names of the layers in the network.
    """

    def __init__(self, *, net: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.net, self.layers = net, layers

    def forward(self, features: Tensor) -> Tensor:
        for name in self.layers:
            features = self.net.get_submodule(name)(features)
        return features


class Call(NamedTuple):
    """One call of a layer: its input, as the tensor and as a copy of its values, and its output."""

    name: str
    before: Tensor
    values: Tensor
    after: Tensor


def head_layers(net: nn.Module, images: Tensor) -> list[str]:
    """Find the shortest chain of layers that turns features into logits.

    The chain holds all parameters and all random layers of the head. Empty if the head is not such a chain,
    so that it cannot run on features alone.

    Args:
        net: Network, left unchanged.
        images: A few preprocessed images, (B, C, H, W) float.
    """
    head = tuned_stages(net)[-1]
    net = deepcopy(net).eval()
    calls, logits = _calls(net, head.modules, images)
    for layers in _candidates(net, calls, logits, set(head.parameters)):
        if _agrees(net, head.modules, layers, images, calls, logits):
            return layers
    return []


@torch.no_grad()
def _calls(net: nn.Module, roots: Sequence[str], images: Tensor) -> tuple[list[Call], Tensor]:
    """The calls of the head's layers for these images, in order, and the logits."""
    calls: list[Call] = []
    waiting: dict[str, list[tuple[Tensor, Tensor]]] = {}
    hooks = []

    def enter(name: str, layer: nn.Module, inputs: tuple[object, ...]) -> None:
        if len(inputs) == 1 and isinstance(inputs[0], Tensor):
            waiting.setdefault(name, []).append((inputs[0], inputs[0].clone()))

    def leave(name: str, layer: nn.Module, inputs: object, output: object) -> None:
        if waiting.get(name) and isinstance(output, Tensor):
            calls.append(Call(name, *waiting[name].pop(), output))

    for name in _inside(net, roots):
        layer = net.get_submodule(name)
        hooks += [layer.register_forward_pre_hook(partial(enter, name), prepend=True)]
        hooks += [layer.register_forward_hook(partial(leave, name))]
    logits = net(images)
    for hook in hooks:
        hook.remove()
    return calls, logits


def _inside(net: nn.Module, roots: Sequence[str]) -> list[str]:
    return [name for root in roots for name, _ in net.get_submodule(root).named_modules(prefix=root)]


def _candidates(
    net: nn.Module, calls: list[Call], logits: Tensor, parameters: set[str]
) -> Iterator[list[str]]:
    """Yield chains that end in the logits and hold the parameters: leaf layers first, shortest first."""
    leaves = [call for call in calls if not list(net.get_submodule(call.name).children())]
    for some in (leaves, calls):
        chain: list[str] = []
        current = logits
        for call in reversed(some):
            if call.after is not current:
                continue
            chain = [call.name, *chain]
            current = call.before
            held = {
                f"{name}.{parameter}"
                for name in chain
                for parameter, _ in net.get_submodule(name).named_parameters()
            }
            if parameters <= held and len(set(chain)) == len(chain):
                yield chain


def _agrees(
    net: nn.Module, roots: Sequence[str], layers: list[str], images: Tensor, calls: list[Call], logits: Tensor
) -> bool:
    """Whether these layers give the same logits from the features, in evaluation and in training mode."""
    features = next(call.values for call in calls if call.name == layers[0])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    head = Head(net=net, layers=layers)
    with torch.no_grad(), torch.random.fork_rng(devices=_devices(images)):
        if not torch.equal(head(features.clone()), logits):
            return False
        for name in roots:
            net.get_submodule(name).train()
        torch.manual_seed(0)
        whole = net(images)
        net.load_state_dict(before)
        torch.manual_seed(0)
        same = torch.equal(head(features.clone()), whole)
    net.load_state_dict(before)
    net.eval()
    return same


def _devices(images: Tensor) -> list[torch.device]:
    return [images.device] if images.device.type == "cuda" else []
