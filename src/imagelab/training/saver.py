"""Write checkpoints, pick the best epoch, and stop a run where it is safe.

Within an epoch a checkpoint is written only after a whole optimizer step, since gradients are not saved, and
never on the last batch, since the one at the end of the epoch is written after validation.
"""

import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, Checkpoint

from imagelab.checkpoints.durable import BEST, LAST, copy_durably, keep_previous
from imagelab.logger.csv import CsvLogger
from imagelab.metrics.names import RAW, metric_of
from imagelab.metrics.outputs import Seen
from imagelab.problem import Problem
from imagelab.training.certainties import KEY, certainties
from imagelab.training.fsdp import all_finite, in_parts
from imagelab.training.shared_decision import EVERY, SharedDecision
from imagelab.training.step_plan import closes_epoch, closes_step
from imagelab.training.stop import Stopped, StopRequest
from imagelab.training.top_epochs import TopEpochs


class Saver(Checkpoint):
    """Write last.ckpt (keeping the one before as previous.ckpt) and best.ckpt.

    Args:
        folder: Folder of the checkpoints.
        monitor: Metric that selects the best epoch.
        lower: Whether lower values are better.
        every: Seconds between checkpoints within an epoch.
        top: Number of best epochs to keep, see `TopEpochs`.
        stop: Request to stop, checked after every step.
    """

    def __init__(
        self, *, folder: Path, monitor: str, lower: bool, every: float, top: int, stop: StopRequest
    ) -> None:
        self.top = TopEpochs(folder=folder, count=top, lower=lower)
        self.folder, self.monitor, self.lower = folder, monitor, lower
        self.every, self.stop = every, stop
        self.decision = SharedDecision(every=min(every, EVERY))
        self.best: dict[str, Any] = {}
        self.seen: dict[str, Seen] = {}  # val outputs of the best epoch, if it ran in this process
        self.seen_best = False  # whether the best epoch ran in this process, on every rank
        self.value = math.nan  # of the epoch that was validated last
        self.weights = RAW  # the better ones in the last validation: raw or an average
        self.seconds = 0.0  # training time so far, including all resumed parts
        self.certainty: dict[str, dict[str, Any]] = {}  # of each set of weights, by the last validation
        self.rows: int | None = None  # rows of metrics.csv when the last checkpoint was written
        self.clock = self.saved = time.monotonic()

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._rewind(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stop.listen()
        if trainer.strategy.restore_checkpoint_after_setup:  # only now it is known how many rows there were
            self._rewind(trainer)
        self.clock = self.saved = time.monotonic()
        self.decision.begin(trainer.global_step)
        if trainer.ckpt_path is None:  # from now on there is something to resume from
            self.save(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if closes_epoch(trainer, batch_idx) or not closes_step(trainer, batch_idx):
            return
        due = time.monotonic() - self.saved >= self.every
        due, signum = self.decision.at_step(trainer, due, self.stop.signum)
        if due or signum:
            pl_module.flush_losses()
            self.save(trainer)
        if signum:
            raise Stopped(signum)

    def on_validation_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.stop.signum and trainer.world_size == 1:
            raise Stopped(self.stop.signum)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        best = self._update_best(trainer)
        self.certainty = certainties(pl_module)
        self.top.update(trainer, self.value)
        self.save(trainer, best=best)
        signum = self.decision.now(trainer, False, self.stop.signum)[1]
        if signum:
            raise Stopped(signum)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seconds += time.monotonic() - self.clock

    def save(self, trainer: Trainer, best: bool = False) -> None:
        """Write last.ckpt, unless a weight is non-finite: then the previous one is kept.

        best.ckpt is written first: after a kill between the two, the epoch is repeated with the same result.
        """
        now = time.monotonic()
        self.seconds, self.clock = self.seconds + now - self.clock, now
        for logger in trainer.loggers:
            if isinstance(logger, CsvLogger):
                logger.sync()  # the rows must be on disk before the checkpoint counts them
                self.rows = logger.rows
        weights = [p.detach() for p in trainer.lightning_module.parameters() if p.is_floating_point()]
        if all_finite(weights):
            if best:
                trainer.save_checkpoint(self.folder / BEST)
            if trainer.is_global_zero:
                keep_previous(self.folder)
            parts = in_parts(trainer.strategy)
            if parts or not best:
                with parts or nullcontext():
                    trainer.save_checkpoint(self.folder / LAST)
            elif trainer.is_global_zero:
                copy_durably(self.folder / BEST, self.folder / LAST)
        self.saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "weights": self.weights,
            "seconds": self.seconds,
            "rows": self.rows,
            "top": self.top.values,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.weights = state_dict["best"], state_dict["weights"]
        self.seconds, self.rows = state_dict["seconds"], state_dict["rows"]
        self.top.values = dict(state_dict["top"])

    def on_save_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        checkpoint["weights"] = self.weights
        checkpoint[KEY] = self.certainty

    def on_load_checkpoint(self, trainer: Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        self.certainty = checkpoint.get(KEY, {})

    def _rewind(self, trainer: Trainer) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, CsvLogger) and self.rows is not None:
                logger.rewind(self.rows)

    def _update_best(self, trainer: Trainer) -> bool:
        # Only use averages that were just validated: Lightning keeps the metrics of earlier epochs.
        averages = list(trainer.lightning_module.averages)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
        splits = {"train", *(metric_of("val", name) for name in (RAW, *averages))}
        found = trainer.callback_metrics.items()
        metrics = {name: float(value) for name, value in found if name.partition("/")[0] in splits}
        if self.monitor not in metrics:
            raise Problem(
                f"monitor: there is no metric {self.monitor!r}; choose one of {', '.join(sorted(metrics))}"
            )
        sign = -1 if self.lower else 1
        values = {name: metrics[metric_of(self.monitor, name)] for name in (RAW, *averages)}
        numbers = {name: sign * value for name, value in values.items() if not math.isnan(value)}
        self.weights = max(numbers, key=lambda name: numbers[name], default=RAW)  # on a tie, the raw ones
        value = self.value = values[self.weights]
        before = self.best.get("value", math.nan)
        better = math.isnan(before) or sign * value >= sign * before  # on a tie, the one trained longer
        if better:
            seen: Any = trainer.lightning_module.seen
            self.seen = dict(seen)
            self.seen_best = True
            self.best = {
                "epoch": trainer.current_epoch,
                "monitor": self.monitor,
                "value": value,
                "weights": self.weights,
                "values": values,
                "metrics": metrics,
            }
        return better


class StopTest(Callback):
    """End the test on request; training has finished, and `resume` runs the test again.

    Args:
        stop: Request to stop, checked after every batch.
    """

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stop.listen()

    def on_test_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if self.stop.signum and trainer.world_size == 1:
            raise Stopped(self.stop.signum)
