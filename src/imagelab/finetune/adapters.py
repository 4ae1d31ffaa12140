# room: finetune/lora
"""Low-rank changes of the weights of a network, which itself stays plain: it always holds the sums.

The network computes with whole weights, so every layer, precision and trick works as usual. After the
backward pass the gradient of a whole weight becomes those of its two matrices, by the chain rule: with
W = S + s U D, dL/dU = s dL/dW D^T and dL/dD = s U^T dL/dW. After the step the sum is computed again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from imagelab.optimizer.weight_names import weight_names
from imagelab.problem import Problem, nearest, some_of
from imagelab.randomness import stream

NAMED = 3  # names in a sentence


class Adapter(NamedTuple):
    """A weight (out, …) of the network, its pretrained values, and its matrices (out, rank), (rank, rest)."""

    weight: nn.Parameter
    start: nn.Parameter
    up: nn.Parameter
    down: nn.Parameter


class Adapters:
    """The adapters of a network, by the names of its weights.

    Nothing here is a parameter of a module: checkpoints have the network with its sums, and these apart.

    Args:
        net: Network, changed in place.
        names: Names of the weights to adapt.
        rank: Rank of a change.
        alpha: Factor of a change, times the rank.
        seed: Seed of the draws: `down` is uniform as in a linear layer of torch, `up` is 0.
    """

    def __init__(self, net: nn.Module, names: Sequence[str], *, rank: int, alpha: float, seed: int) -> None:
        self.scale = alpha / rank
        generator = torch.Generator().manual_seed(int(stream(seed, "lora").integers(2**31)))
        self.of: dict[str, Adapter] = {}
        for name in names:
            weight = net.get_parameter(name)
            out, rest = sides(weight)
            bound = rest**-0.5
            down = torch.empty(rank, rest).uniform_(-bound, bound, generator=generator)
            parts = weight.detach().clone(), weight.new_zeros(out, rank), down.to(weight)
            self.of[name] = Adapter(weight, *(nn.Parameter(part, requires_grad=False) for part in parts))

    def trained(self, name: str) -> list[nn.Parameter]:
        """The matrices of a weight."""
        return [self.of[name].up, self.of[name].down]

    def count(self) -> int:
        """The number of values that are trained."""
        return sum(one.numel() for name in self.of for one in self.trained(name))

    def learn(self) -> None:
        """Let gradients reach the weights, whose stages are frozen otherwise."""
        for adapter in self.of.values():
            adapter.weight.requires_grad_()

    def place(self) -> None:
        """Move the matrices to where the weights are."""
        for adapter in self.of.values():
            for one in adapter[1:]:
                one.data = one.data.to(adapter.weight)

    @torch.no_grad()
    def project(self) -> None:
        """Turn the gradients of the weights into those of the matrices."""
        for weight, _, up, down in self.of.values():
            if weight.grad is None:
                continue
            whole = weight.grad.flatten(1) * self.scale
            _add(up, whole @ down.T)
            _add(down, up.T @ whole)
            weight.grad = None

    @torch.no_grad()
    def merge(self) -> None:
        """Set the weights to the sums of their pretrained values and the changes."""
        for weight, start, up, down in self.of.values():
            weight.copy_(start + (self.scale * (up @ down)).view(weight.shape))

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Plain data for a checkpoint."""
        return {name: {"start": one.start, "up": one.up, "down": one.down} for name, one in self._plain()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Continue where `state_dict` was taken; the weights themselves come with the network."""
        for name, saved in state.items():
            for part, value in saved.items():
                getattr(self.of[name], part).copy_(value)

    def _plain(self) -> Iterator[tuple[str, Any]]:
        for name, one in self.of.items():
            yield name, Adapter(*(part.detach() for part in one))  # type: ignore[arg-type]


def adapted_names(net: nn.Module, head: Sequence[str], targets: Sequence[str] | None, rank: int) -> list[str]:
    """Names of the weights to adapt, in the order of the network.

    Args:
        net: Network.
        head: Names of the head's parameters, which train as they are.
        targets: Parts of names; None: all weights.
        rank: Rank of a change; weights that are not larger than two matrices of this rank are left out.

    Raises:
        Problem: A target names no weight, or nothing is left.
    """
    weights = weight_names(net) - {*head}
    every = [name for name, _ in net.named_parameters() if name in weights and "parametrizations" not in name]
    for target in targets or ():
        if not any(target in name for name in every):
            parts = sorted({part for name in every for part in name.split(".")})
            raise Problem(
                f"finetune.targets: no weight before the head has {target!r} in its name"
                f"{nearest(target, parts)}; there are {some_of(every, NAMED)}"
            )
    chosen = [name for name in every if targets is None or any(target in name for target in targets)]
    found = [
        name
        for name in chosen
        if rank * sum(sides(net.get_parameter(name))) < net.get_parameter(name).numel()
    ]
    if not found:
        raise Problem(
            f"finetune.rank: {type(net).__name__} has no weight before the head that is larger than two "
            f"matrices of rank {rank}; set a smaller rank, or another strategy"
        )
    return found


def sides(weight: Tensor) -> tuple[int, int]:
    """Rows and columns of a weight as a matrix: its outputs, and all that enters one of them.

    >>> sides(torch.empty(8, 4, 3, 3))
    (8, 36)
    """
    return weight.shape[0], weight.shape[1:].numel()


def _add(parameter: nn.Parameter, gradient: Tensor) -> None:
    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
