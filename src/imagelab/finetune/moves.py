"""A strategy applied to a network: which stage moves when, and the parameter groups of each stage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.finetune.strategy import Strategy
from imagelab.model.stages import Stage, stages

Groups = list[dict[str, Any]]
ALL = "all"  # the name of the only parameter group of an optimizer without weight decay


@dataclass(frozen=True, kw_only=True)
class Move:
    """What becomes of a stage.

    stage: Which one. start: the epoch at which it begins to move; None: never. factor: of its rate.
    """

    stage: Stage
    start: int | None
    factor: float

    def moves(self, epoch: int) -> bool:
        """Whether the stage is trained in this epoch."""
        return self.start is not None and epoch >= self.start


def moves_of(net: nn.Module, strategy: Strategy, epochs: int) -> list[Move]:
    """The stages of a network from the stem to the head, with what a strategy says of each in such a run."""
    cut = stages(net)
    starts = strategy.starts(len(cut), epochs)
    return [
        Move(stage=stage, start=start, factor=strategy.factor(len(cut) - 1 - place))
        for place, (stage, start) in enumerate(zip(cut, starts, strict=True))
    ]


def stage_groups(net: nn.Module, groups: Groups, moves: Sequence[Move]) -> Groups:
    """The parameter groups cut by stage, each with its rate; what never moves is in none.

    Args:
        net: Whose parameters they are.
        groups: With "name", "params" and "lr", as an optimizer would take them for the whole network.
        moves: Of every stage.

    Returns:
        Named after stage and group, "layer4.decay"; each knows its "stage", the place of it in `moves`.
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
    """Let move what moves in this epoch, and nothing else.

    What does not move gets no gradient, and so no step, no weight decay and no momentum; its BatchNorms,
    dropout and stochastic depth do what they do in evaluation. Everything is set anew, at any time.

    Args:
        net: In training mode where it moves; changed in place.
        moves: Of every stage.
        epoch: Of the run.
        norm: frozen: BatchNorms of moving stages too keep their statistics, and normalise with them.
    """
    parameters = dict(net.named_parameters())
    for move in moves:
        moving = move.moves(epoch)
        for name in move.stage.parameters:
            parameters[name].requires_grad_(moving)
        for root in move.stage.modules:
            for layer in net.get_submodule(root).modules():
                still = not moving or (norm == "frozen" and isinstance(layer, _BatchNorm))
                layer.training = layer.training and not still
