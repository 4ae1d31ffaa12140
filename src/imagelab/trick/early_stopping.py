"""Stop training when the monitored metric has not improved for some epochs.

Source: Prechelt 1998, "Early Stopping - But When?", https://doi.org/10.1007/3-540-49430-8_3
"""

from typing import Literal

from lightning import LightningModule, Trainer
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's early stopping, but exact on resume: a run killed after it decided to stop stays stopped.

    Args:
        monitor: Metric to watch, named as in metrics.csv.
        mode: min if lower values of the metric are better, max if higher ones are.
        patience: Epochs without improvement before stopping, >= 1.
        min_delta: Smallest change that counts as an improvement, >= 0, in the metric's unit.
    """

    refused = ""  # unlike the base class: this one is exact on resume

    def __init__(self, *, monitor: str, mode: Literal["min", "max"], patience: int, min_delta: float) -> None:
        super().__init__(monitor=monitor, mode=mode, patience=patience, min_delta=min_delta)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.stopping_reason != EarlyStoppingReason.NOT_STOPPED:
            trainer.should_stop = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The checkpoint was written before Lightning counted its epoch as completed.
        progress = trainer.fit_loop.epoch_progress.current
        progress.completed = progress.processed  # pyright: ignore[reportAttributeAccessIssue]
