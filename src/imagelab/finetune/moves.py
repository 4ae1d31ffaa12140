"""Apply a strategy to a network: freeze and unfreeze its stages, and make their parameter groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.finetune.head_stage import tuned_stages
from imagelab.finetune.strategy import Strategy
from imagelab.model.head import last_layer
from imagelab.model.stages import Stage

Groups = list[dict[str, Any]]
ALL = "all"  # the name of the only parameter group of an optimizer without weight decay


@dataclass(frozen=True, kw_only=True)
class Move:
    """What a strategy does with one stage.

    stage: The stage. start: Epoch in which it starts to train; None: never. factor: Factor on its rate.
    """

    stage: Stage
    start: int | None
    factor: float

    def moves(self, epoch: int) -> bool:
        """Whether the stage is trained in this epoch."""
        return self.start is not None and epoch >= self.start


def moves_of(net: nn.Module, strategy: Strategy, epochs: int) -> list[Move]:
    """Apply a strategy to each stage of a network, from the stem to the head, for a run of `epochs`."""
    cut = tuned_stages(net)
    starts = strategy.starts(len(cut), epochs)
    return [
        Move(stage=stage, start=start, factor=strategy.factor(len(cut) - 1 - place, len(cut)))
        for place, (stage, start) in enumerate(zip(cut, starts, strict=True))
    ]


def draw_ends(net: nn.Module) -> None:
    """Draw the weights of the first and the last layer anew from torch's generator.

    The last layers of a network that names its trunk are new already.
    """
    first = next(layer for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d))
    for layer in (first,) if hasattr(net, "trunk") else (first, last_layer(net)[1]):
        layer.reset_parameters()


def stage_groups(net: nn.Module, groups: Groups, moves: Sequence[Move]) -> Groups:
    """Split parameter groups by stage, each with its own rate; stages that never train are in none.

    Args:
        net: Network that owns the parameters.
        groups: Parameter groups of the whole network, with "name", "params" and "lr".
        moves: What happens to each stage.

    Returns:
        Groups named after stage and group, such as "layer4.decay"; "stage" is the stage's index in `moves`.
    """
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    found = []
    for place, move in enumerate(moves):
        for group in groups if move.start is not None else ():
            inside = [one for one in group["params"] if names[id(one)] in move.stage.parameters]
            name = move.stage.name + (f".{group['name']}" if group["name"] != ALL else "")
            own = {"name": name, "params": inside, "lr": group["lr"] * move.factor, "stage": place}
            found += [group | own] if inside else []
    return found


def freeze(net: nn.Module, moves: Sequence[Move], epoch: int, norm: str) -> None:
    """Unfreeze the stages that train in this epoch, and freeze all others.

    Frozen stages get no gradient, and so no step, no weight decay and no momentum; their BatchNorm, dropout
    and stochastic depth are in evaluation mode. Everything is set on each call, so it may be called any time.

    Args:
        net: Network in training mode, changed in place.
        moves: What happens to each stage.
        epoch: Epoch of the run.
        norm: frozen: BatchNorms of trained stages keep their statistics too, and normalise with them; but for
            those outside the trunk of a network that names one, which are new.
    """
    parameters = dict(net.named_parameters())
    for move in moves:
        new = hasattr(net, "trunk") and move is moves[-1]
        keeps = norm == "frozen" and not new
        moving = move.moves(epoch)
        for name in move.stage.parameters:
            parameters[name].requires_grad_(moving)
        for root in move.stage.modules:
            for layer in net.get_submodule(root).modules():
                still = not moving or (keeps and isinstance(layer, _BatchNorm))
                layer.training = layer.training and not still
