"""Run real training steps at any batch size, and measure their time and memory."""

import gc
import time
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from torch import nn

from imagelab.build import build_trainer
from imagelab.classifier import Classifier
from imagelab.config.facts import said_by
from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.finders.batch_feed import FullBatches, pooled
from imagelab.finders.batch_search import Measured
from imagelab.finders.device_memory import Meter
from imagelab.finders.lr_range import Ladder, prepare
from imagelab.terminal.failure import out_of_memory
from imagelab.training.altering import altering
from imagelab.training.loss_record import Diverged

MANY = 10**6  # batches per epoch: it never ends
BLOCK = 0.05  # seconds between readings of the clock, each of which makes a GPU wait


def alone(cfg: Node, folder: Path) -> tuple[Node, int]:
    """The config of a run for a single device, and the number of devices of the run.

    Args:
        cfg: Config of the run.
        folder: Folder for the trainer, which writes nothing.
    """
    ranks = build_trainer(cfg, folder, callbacks=[], logger=False, enable_checkpointing=False).world_size
    one = {"devices": 1, "num_nodes": 1, "strategy": "auto", "sync_batchnorm": False, "on_oom": "stop"}
    return cfg | {"trainer": cfg["trainer"] | one}, ranks


class Trials:
    """Runs a few steps of a run at any batch size, on one device.

    Args:
        cfg: Config of the run, for one device.
        data: Data module of the run.
        classifier: Module to train, as built; its weights do not change, since the rate is 0.
        tricks: Tricks of the run; those that alter gradients or keep copies of the weights take part.
        folder: Folder for the trainer, which writes nothing.
        meter: Memory meter of the device.
        seconds: Seconds to measure for.
    """

    def __init__(
        self,
        *,
        cfg: Node,
        data: ImageData,
        classifier: Classifier,
        tricks: Sequence[object],
        folder: Path,
        meter: Meter,
        seconds: float,
    ) -> None:
        self.cfg = cfg
        self.folder = folder
        self.seconds = seconds
        self.data = data
        self.classifier = classifier
        self.meter = meter
        self.copies = Copies(count=sum(bool(said_by(trick).averages_weights) for trick in tricks))
        self.callbacks: list[Callback] = [*altering(tricks), self.copies]
        self.pool = pooled(data)

    def __call__(self, batch: int) -> Measured | None:
        """Measure steps at a batch size; None if the device runs out of memory."""
        self.meter.reset()
        gc.freeze()  # spares the collector all objects that exist already
        try:
            seconds = self._steps(batch)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            seconds = None
        self._let_go()
        return None if seconds is None else Measured(seconds, self.meter.peak())

    def _let_go(self) -> None:
        """Drop all references to the last steps, to free their memory for the next ones."""
        for parameter in self.classifier.parameters():
            parameter.grad = None
        self.copies.kept = []
        self.classifier.trainer = None
        self.data.trainer = None
        gc.collect()
        gc.unfreeze()

    def _steps(self, batch: int) -> float:
        window = self.cfg["trainer"]["accumulate_grad_batches"]
        own = {"max_epochs": -1, "max_steps": -1, "max_time": None, "min_epochs": None, "min_steps": None}
        own |= {"limit_train_batches": 1.0, "limit_val_batches": 0, "overfit_batches": 0.0}
        own |= {"val_check_interval": 1.0, "num_sanity_val_steps": 0, "enable_checkpointing": False}
        timer = StepTimer(window=window, seconds=self.seconds)
        trainer = build_trainer(
            self.cfg | {"trainer": self.cfg["trainer"] | own},
            self.folder,
            callbacks=[*self.callbacks, timer],
            logger=False,
        )
        step_plan = replace(self.classifier.step_plan, batches=MANY * window, windows=[window], images=batch)
        prepare(self.classifier, Ladder(warmup=0, floor=0.0, factors=[0.0]), step_plan)
        feed = FullBatches(self.data, self.pool, batch=batch, count=MANY * window)
        with suppress(Diverged):
            trainer.fit(self.classifier, datamodule=feed)
        return median(timer.each)


class Copies(Callback):
    """Occupies the memory that averaged weights will take beside the raw ones.

    Args:
        count: Number of sets of averaged weights.
    """

    def __init__(self, *, count: int) -> None:
        self.count = count
        self.kept: list[nn.Module] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        self.kept = [deepcopy(pl_module.net) for _ in range(self.count)]


class StepTimer(Callback):
    """Times batches after the first step, and stops training after some seconds.

    Args:
        window: Batches per step.
        seconds: Seconds to measure for; at least two blocks of steps are timed.
    """

    def __init__(self, *, window: int, seconds: float) -> None:
        self.window, self.seconds = window, seconds
        self.each: list[float] = []  # seconds per batch, block by block
        self.block = 1
        self.left = window
        self.mark = 0.0
        self.spent = 0.0

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.left -= 1
        if self.left:
            return
        if pl_module.device.type != "cpu":
            torch.accelerator.synchronize()
        now = time.perf_counter()
        if self.mark:
            self.spent += now - self.mark
            self.each.append((now - self.mark) / (self.block * self.window))
            self.block = max(1, int(BLOCK / (self.each[-1] * self.window)))
        self.left = self.block * self.window
        self.mark = now
        trainer.should_stop = trainer.should_stop or (len(self.each) > 1 and self.spent >= self.seconds)
