"""Train the stages of a network from certain epochs on, each at its own rate (transfer learning).

Which stages are frozen is a function of the epoch, set again at its start, and so also when a run is resumed
within an epoch. Every stage that ever trains is in the optimizer from the first step, and is frozen only
after the strategy has wrapped the network, so that several processes share the gradients of all of them.

Source: Howard & Ruder 2018, https://arxiv.org/abs/1801.06146, section 3.
"""

from dataclasses import replace
from typing import Any, Self

from torch import Tensor, nn

from imagelab.classifier import Classifier
from imagelab.finetune.head import Head
from imagelab.finetune.moves import Groups, draw_ends, freeze, moves_of, stage_groups
from imagelab.finetune.strategy import Strategy
from imagelab.terminal.summary import StageRow


class TransferClassifier(Classifier):
    """Train the stages of a network as a strategy defines.

    Args:
        groups: Parameter groups of the whole network; the optimizer gets them split by stage.
        strategy: Strategy: which stages train, when, and at which rate.
        epochs: Number of epochs in the run.
        parts: Arguments of `Classifier`.
    """

    def __init__(self, *, groups: Groups, strategy: Strategy, epochs: int, **parts: Any) -> None:
        net = parts["net"]
        self.strategy = strategy
        if strategy.draws_ends:
            draw_ends(net)  # torch is still seeded for the weights of this run
        self.moves = moves_of(net, strategy, epochs)
        super().__init__(groups=stage_groups(net, groups, self.moves), **parts)
        self.head_layers: list[str] = []  # while features replace images: the layers to run
        for move in self.moves:
            for name in move.stage.parameters if move.start is None else ():
                net.get_parameter(name).requires_grad_(False)

    def forward(self, images: Tensor, net: nn.Module | None = None, **more: Tensor) -> Tensor:
        if self.head_layers:
            return Head(net=net or self.net, layers=self.head_layers)(images)
        return super().forward(images, net, **more)

    @property
    def trains_in_parts(self) -> bool:
        """Whether any stage starts to train after the first epoch."""
        return any(move.start for move in self.moves)

    @property
    def adapted(self) -> set[str]:
        """Names of weights of frozen stages that change all the same."""
        return set()

    def move_at_once(self) -> None:
        """Let every stage that ever trains do so from the first epoch."""
        self.moves = [replace(move, start=None if move.start is None else 0) for move in self.moves]

    def train(self, mode: bool = True) -> Self:
        """Set training mode, but only in stages that are trained now."""
        super().train(mode)
        if mode:
            freeze(self.net, self.moves, self.current_epoch, self.strategy.norm)
        return self

    def on_train_start(self) -> None:
        super().on_train_start()
        self.train()

    def on_train_epoch_start(self) -> None:
        self.train()

    def rate_share(self, group: dict[str, Any], batch_idx: int) -> float:
        move = self.moves[group["stage"]]
        epoch = self.current_epoch
        if not move.moves(epoch):
            return 0.0
        if not move.start:  # the schedule's own warm-up applies
            return 1.0
        done = self.step_plan.step(epoch, batch_idx) - self.step_plan.step(move.start, 0)
        return self.strategy.ramp(done, self.step_plan.steps(move.start))

    def stage_rows(self) -> list[StageRow]:
        rates: dict[int, float] = {}
        for group in self.groups:
            rates[group["stage"]] = max(group["lr"], rates.get(group["stage"], 0.0))
        size = {name: parameter.numel() for name, parameter in self.net.named_parameters()}
        sizes = [sum(size[name] for name in move.stage.parameters) for move in self.moves]
        return [
            StageRow(move.stage.name, sizes[place], rates.get(place, 0.0), move.start)
            for place, move in enumerate(self.moves)
        ]
