"""Run a learning-rate range test: one training step at each of many rates, from tiny to far too large.

Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", https://arxiv.org/abs/1506.01186,
section 3.3; rates in equal ratios: Gugger 2018, https://sgugger.github.io/how-do-you-find-a-good-learning-rate.html
"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from lightning import Callback, Trainer

from imagelab.build import build_trainer
from imagelab.classifier import Classifier
from imagelab.config.facts import says
from imagelab.config.rules.classes import target
from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.finders.lr_rule import Curve
from imagelab.problem import Problem
from imagelab.schedule import Progress, Schedule
from imagelab.training.altering import altering
from imagelab.training.correct_count import CorrectCount
from imagelab.training.loss_record import Diverged, LossRecord
from imagelab.training.preserve import preserve_training
from imagelab.training.step_plan import StepPlan
from imagelab.transfer import TransferClassifier

LAST = 3  # losses that must all be too large
FIRST = 10  # losses before the network has learnt anything
FAR = 4.0  # factor over the largest of these above which training has diverged


def ladder(start: float, end: float, steps: int) -> list[float]:
    """`steps` rates in equal ratios, from `start` to `end`.

    >>> ladder(1.0, 8.0, 4)
    [1.0, 2.0, 4.0, 8.0]
    """
    return [float(rate) for rate in np.geomspace(start, end, steps)]


def one_device(cfg: Node, folder: Path) -> Node:
    """The config of a run for one device, with as many images per step as on all its devices.

    Args:
        cfg: Config of the run.
        folder: Folder for the trainer, which writes nothing.
    """
    window = cfg["trainer"]["accumulate_grad_batches"]
    quiet = {"callbacks": [], "logger": False}
    ranks = build_trainer(cfg, folder, **quiet, enable_checkpointing=False).world_size
    if cfg["data"]["batch_size"] != "full":
        window *= ranks
    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto", "sync_batchnorm": False}
    return cfg | {"trainer": cfg["trainer"] | alone | {"accumulate_grad_batches": window}}


def range_test(
    cfg: Node,
    data: ImageData,
    classifier: Classifier,
    *,
    folder: Path,
    tricks: Sequence[object],
    rates: Sequence[float],
) -> Curve:
    """Take a step at each rate until training diverges; return the loss before each, and restore everything.

    The steps are those of the run: its batches, augmentations, task, penalties, precision, accumulation and
    clipping; only its schedule is off. Every stage that the run trains at some time trains here from the
    start, at its share of the rate.

    Args:
        cfg: Config that the classifier was built from, for one device (see `one_device`).
        data: Data module of the run.
        classifier: Module to train, as built.
        folder: Folder for the trainer, which writes nothing.
        tricks: Tricks of the run; those that alter gradients take part.
        rates: Rates to test (see `ladder`), as values of `optimizer.lr`, before optimizer.lr_scaling.

    Raises:
        Problem: The optimizer sets its step size by a line search.
    """
    refuse_line_search(cfg)
    step_plan = even_step_plan(classifier.step_plan, len(rates))
    watch = StepLosses(window=step_plan.window(0))
    callbacks = [*altering(tricks), watch]
    trainer = build_trainer(short(cfg, step_plan, len(rates)), folder, callbacks=callbacks, logger=False)
    with preserve_training(classifier, data), suppress(Diverged):
        prepare(classifier, Ladder.of(rates, cfg["optimizer"]["lr"]), step_plan)
        trainer.fit(classifier, datamodule=data)
    done = len(watch.losses)
    return Curve(rates=rates[:done], losses=watch.losses, steps=len(rates))


def even_step_plan(step_plan: StepPlan, steps: int) -> StepPlan:
    """A plan with equally many batches in each step, over enough epochs for `steps` steps.

    >>> step_plan = even_step_plan(StepPlan(batches=7, windows=[3, 6], images=10), steps=4)
    >>> step_plan.batches, step_plan.windows, step_plan.total
    (6, [3, 3], 4)
    """
    window = min(step_plan.window(0), step_plan.batches)
    batches = step_plan.batches // window * window
    return replace(step_plan, batches=batches, windows=[window] * -(-steps * window // batches))


def short(cfg: Node, step_plan: StepPlan, steps: int) -> Node:
    """The config of a trainer that takes `steps` steps and does nothing else."""
    own = {
        "accumulate_grad_batches": step_plan.window(0),
        "limit_train_batches": step_plan.batches,
        "limit_val_batches": 0,
        "val_check_interval": 1.0,
        "num_sanity_val_steps": 0,
        "enable_checkpointing": False,
        "max_epochs": -1,
        "max_steps": steps,
        "max_time": None,
    }
    return cfg | {"trainer": cfg["trainer"] | own}


def refuse_line_search(cfg: Node) -> None:
    """Raise a Problem if the optimizer finds its step size itself."""
    if says(cfg["optimizer"]).line_search:
        raise Problem(
            f"optimizer: {target(cfg['optimizer'])} sets its step size by a line search, so there is no rate "
            "to find; keep optimizer.lr=1, or choose another optimizer"
        )
    if says(cfg["optimizer"]).rate_factor:
        raise Problem(
            f"optimizer: {target(cfg['optimizer'])} finds its rate while it trains; keep optimizer.lr=1"
        )


def prepare(classifier: Classifier, schedule: Schedule, step_plan: StepPlan) -> None:
    """Give a classifier another schedule and fresh records, and train all its stages from the start."""
    window = classifier.losses.recent.maxlen or 1
    classifier.schedule = schedule
    classifier.step_plan = step_plan
    classifier.history = []
    classifier.losses = LossRecord(window=window)
    classifier.correct = CorrectCount()
    classifier.terms = classifier.terms.emptied()
    if isinstance(classifier, TransferClassifier):
        classifier.move_at_once()


@dataclass(frozen=True, kw_only=True)
class Ladder(Schedule):
    """A given rate for each step, whatever the length of the run.

    Args:
        factors: Factors on the peak rate of every parameter group, one per step, > 0.
    """

    factors: Sequence[float]

    @classmethod
    def of(cls, rates: Sequence[float], peak: float) -> "Ladder":
        """The schedule that turns a peak rate into these rates."""
        return cls(warmup=0, floor=0.0, factors=[rate / peak for rate in rates])

    def curve(self, at: Progress) -> float:
        return self.factors[min(at.step, len(self.factors) - 1)]


class StepLosses(Callback):
    """Collects the loss of each optimizer step, penalties included, and stops training when it diverges.

    Args:
        window: Batches per step.
    """

    def __init__(self, *, window: int) -> None:
        self.window = window
        self.batches: list[float] = []
        self.losses: list[float] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append(float(outputs["loss"]))  # Lightning has divided it by the window
        if len(self.batches) == self.window:
            self.losses.append(math.fsum(self.batches))
            self.batches.clear()
            trainer.should_stop = trainer.should_stop or has_diverged(self.losses)


def has_diverged(losses: Sequence[float]) -> bool:
    """Whether the last loss is non-finite, or the last few are far above all of the first."""
    if not math.isfinite(losses[-1]):
        return True
    return len(losses) > FIRST and min(losses[-LAST:]) > FAR * max(losses[:FIRST])
