"""Give the ranks of a run one value of the loss where an optimizer's decisions depend on it."""

from typing import TYPE_CHECKING, cast

from torch import Tensor

from imagelab.config.facts import said_by

if TYPE_CHECKING:
    from lightning import Trainer


def same_on_all_ranks(loss: Tensor, trainer: "Trainer") -> Tensor:
    """The loss of a batch, with the mean over the ranks as its value if the optimizer searches along a line.

    Ranks that saw different values would choose different steps.

    Args:
        loss: Loss of this rank, a scalar; its gradients stay.
        trainer: Trainer of the run.
    """
    if trainer.world_size == 1 or not said_by(trainer.optimizers[0]).line_search:
        return loss
    mean = cast(Tensor, trainer.strategy.reduce(loss.detach().clone(), reduce_op="mean"))
    return loss - loss.detach() + mean
