# room: finetune/lora
"""Train low-rank changes of the weights of a network, and its head (`finetune=lora`).

Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685.
"""

from typing import Any, Self, cast

from torch.optim import Optimizer

from imagelab.finetune.adapters import Adapters, adapted_names
from imagelab.finetune.lora import Lora
from imagelab.terminal.summary import StageRow
from imagelab.transfer import TransferClassifier

KEY = "adapters"  # in checkpoints, beside the weights, which are the sums


class LowRankClassifier(TransferClassifier):
    """Train the head as it is, and all other weights by their adapters.

    Args:
        parts: Arguments of `TransferClassifier`; the strategy is a `Lora`.
    """

    def __init__(self, **parts: Any) -> None:
        groups = parts["groups"]
        super().__init__(**parts)
        lora = cast(Lora, self.strategy)
        head = self.moves[-1].stage
        names = adapted_names(self.net, head.parameters, lora.targets, lora.rank)
        self.adapters = Adapters(self.net, names, rank=lora.rank, alpha=lora.alpha, seed=self.seed)
        self.adapters.learn()
        whole = {id(self.adapters.of[name].weight): name for name in names}
        for group in groups:
            inside = [whole[id(one)] for one in group["params"] if id(one) in whole]
            own = {
                "name": f"{KEY}.{group['name']}",
                "params": [one for name in inside for one in self.adapters.trained(name)],
                "lr": group["lr"] * lora.adapter_rate,
                "stage": len(self.moves),  # one of their own
            }
            self.groups += [group | own] if inside else []

    @property
    def adapted(self) -> set[str]:
        return {*self.adapters.of}

    def train(self, mode: bool = True) -> Self:
        """Set training mode in the head; gradients reach the adapted weights, too."""
        super().train(mode)
        if mode:
            self.adapters.learn()
        return self

    def configure_optimizers(self) -> Optimizer:
        self.adapters.place()
        return super().configure_optimizers()

    def on_after_backward(self) -> None:
        self.adapters.project()

    def optimizer_step(self, *given: Any, **more: Any) -> None:
        super().optimizer_step(*given, **more)
        self.adapters.merge()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[KEY] = self.adapters.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.adapters.load_state_dict(checkpoint[KEY])

    def rate_share(self, group: dict[str, Any], batch_idx: int) -> float:
        return 1.0 if group["stage"] == len(self.moves) else super().rate_share(group, batch_idx)

    def stage_rows(self) -> list[StageRow]:
        rate = max(group["lr"] for group in self.groups if group["stage"] == len(self.moves))
        return [*super().stage_rows(), StageRow(KEY, self.adapters.count(), rate, 0)]
