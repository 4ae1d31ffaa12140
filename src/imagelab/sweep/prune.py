"""End a trial of a sweep whose epochs are worse than those of earlier trials.

Source: https://optuna.readthedocs.io/en/stable/reference/pruners.html; for hyperband, Li et al. 2018,
https://jmlr.org/papers/v18/16-558.html
"""

import math
from collections.abc import Iterable
from typing import Any

import optuna
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from imagelab.metrics.names import RAW, metric_of
from imagelab.sweep.study import known_trial, open_study
from imagelab.terminal import screen
from imagelab.training.stop import Pruned


class Prune(Callback):
    """Report the monitored metric after each epoch, and end a hopeless run before the next one.

    Args:
        trial: Value of `IMAGELAB_TRIAL`: number, pruner, patience and storage of the study.
        monitor: Metric that trials are compared by.
        lower: Whether lower values are better.
        epochs: Number of epochs in the run.
    """

    def __init__(self, *, trial: str, monitor: str, lower: bool, epochs: int) -> None:
        number, name, patience, file = trial.split(":", 3)
        self.monitor, self.lower = monitor, lower
        self.hopeless = False
        pruner = pruner_of(name, int(patience), epochs)
        self.trial: Any = None
        if screen.speaks():  # the study need not be on the machine of another rank
            self.trial = known_trial(open_study(file, lower, pruner), int(number))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        averages = getattr(pl_module, "averages", ())
        names = [metric_of(self.monitor, weights) for weights in (RAW, *averages)]
        value = better_of([trainer.callback_metrics.get(name) for name in names], self.lower)
        if trainer.is_global_zero and value is not None:
            self.trial.report(value, trainer.current_epoch)
            self.hopeless = self.trial.should_prune()
        self.hopeless = trainer.strategy.reduce_boolean_decision(self.hopeless, all=False)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.hopeless:  # checked here, when the epoch's checkpoint has been written
            screen.say(
                f"Ended after epoch {trainer.current_epoch}: earlier trials were better at this point."
            )
            raise Pruned


def better_of(values: Iterable[Any], lower: bool) -> float | None:
    """The better of the values of raw and averaged weights, which the study is told at the end; None without.

    >>> better_of([0.5, 0.7, None, float("nan")], lower=False)
    0.7
    """
    numbers = [float(value) for value in values if value is not None and math.isfinite(value)]
    return (min if lower else max)(numbers, default=None)


def pruner_of(name: str, patience: int, epochs: int) -> Any:
    """Build the pruner, which decides which trials are hopeless.

    Args:
        name: median or hyperband.
        patience: Epochs before a trial may be pruned.
        epochs: Number of epochs in a full trial.
    """
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=patience, max_resource=epochs)
    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=patience)
