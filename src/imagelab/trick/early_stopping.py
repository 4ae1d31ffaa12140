"""Early stopping: end the training when the monitored metric has not improved for a while.

Source: Prechelt 1998, "Early Stopping - But When?", https://doi.org/10.1007/3-540-49430-8_3
"""

from typing import Literal

from lightning import LightningModule, Trainer
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from imagelab.problem import Problem


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, exact on resume: a run killed after the decision to stop does not train another epoch.

    Args:
        monitor: The metric to watch, as in metrics.csv.
        mode: Whether it should become smaller (min) or larger (max).
        patience: Epochs without improvement that are endured, >= 1.
        min_delta: What counts as an improvement at least, >= 0, in the metric's unit.
    """

    refused = ""  # as the class above is: this one is exact on resume

    def __init__(self, *, monitor: str, mode: Literal["min", "max"], patience: int, min_delta: float) -> None:
        if patience < 1:
            raise Problem(f"trick.early_stopping.patience: wants 1 epoch or more, got {patience}")
        super().__init__(monitor=monitor, mode=mode, patience=patience, min_delta=min_delta)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
            trainer.should_stop = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The checkpoint was written before Lightning counted its epoch as completed.
        progress = trainer.fit_loop.epoch_progress.current
        progress.completed = progress.processed  # pyright: ignore[reportAttributeAccessIssue]
