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
from imagelab.training.penalties import LossTerms
from imagelab.training.preserve import preserve_training
from imagelab.training.step_plan import StepPlan
from imagelab.transfer import TransferClassifier

LAST = 3  # losses that agree on divergence
FIRST = 10  # losses that say how large one is before anything has been learnt
FAR = 4.0  # times the largest of these: training has diverged


def ladder(start: float, end: float, steps: int) -> list[float]:
    """So many rates in equal ratios, the first and the last as given.

    >>> ladder(1.0, 8.0, 4)
    [1.0, 2.0, 4.0, 8.0]
    """
    return [float(rate) for rate in np.geomspace(start, end, steps)]


def one_device(cfg: Node, folder: Path) -> Node:
    """The config of a run for one device, with as many images a step as on all those it is meant for.

    Args:
        cfg: Of the run.
        folder: For what its trainer may write: nothing.
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
    """The training loss before one step at each rate, until training diverges; all is as it was afterwards.

    The steps are those of the run: its batches, augmentations, task, penalties, precision, accumulation and
    clipping; only its schedule is off. Every stage of the network that ever moves does, at its share of the
    rate.

    Args:
        cfg: Of the run, for one device (`one_device`), which the classifier is built from.
        data: Its images.
        classifier: To train, as built.
        folder: For what the trainer may write: nothing.
        tricks: Of the run; those that alter gradients are at work.
        rates: A `ladder`, as `optimizer.lr` counts them: before optimizer.lr_scaling.

    Raises:
        Problem: The optimizer has no rate that could be tested this way.
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
    """As many batches in every step, epoch by epoch, until there are so many steps.

    >>> step_plan = even_step_plan(StepPlan(batches=7, windows=[3, 6], images=10), steps=4)
    >>> step_plan.batches, step_plan.windows, step_plan.total
    (6, [3, 3], 4)
    """
    window = min(step_plan.window(0), step_plan.batches)
    batches = step_plan.batches // window * window
    return replace(step_plan, batches=batches, windows=[window] * -(-steps * window // batches))


def short(cfg: Node, step_plan: StepPlan, steps: int) -> Node:
    """The config of a trainer that takes so many steps and nothing else."""
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
    """Raise a Problem where the optimizer looks for the length of its steps by itself."""
    if says(cfg["optimizer"]).line_search:
        raise Problem(
            f"optimizer: {target(cfg['optimizer'])} finds the length of each step by a line search, so that "
            "there is no rate to look for; keep optimizer.lr=1, or say another optimizer"
        )


def prepare(classifier: Classifier, schedule: Schedule, step_plan: StepPlan) -> None:
    """Give a classifier another schedule, and let all that ever moves move at once, until it is restored."""
    window = classifier.losses.recent.maxlen or 1
    classifier.schedule = schedule
    classifier.step_plan = step_plan
    classifier.history = []
    classifier.losses = LossRecord(window=window)
    classifier.correct = CorrectCount()
    classifier.terms = LossTerms(penalties=classifier.terms.penalties, window=window)
    if isinstance(classifier, TransferClassifier):
        classifier.move_at_once()


@dataclass(frozen=True, kw_only=True)
class Ladder(Schedule):
    """A rate for each step, whatever the length of the run.

    Args:
        factors: On the peak rate of every parameter group, > 0.
    """

    factors: Sequence[float]

    @classmethod
    def of(cls, rates: Sequence[float], peak: float) -> "Ladder":
        """Rates in place of this peak rate."""
        return cls(warmup=0, floor=0.0, factors=[rate / peak for rate in rates])

    def curve(self, at: Progress) -> float:
        return self.factors[min(at.step, len(self.factors) - 1)]


class StepLosses(Callback):
    """Collects the loss of each optimizer step, penalties included, and ends a training that diverges.

    Args:
        window: Batches of a step.
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
    """Whether the last losses are no numbers, or far above all of the first ones."""
    if not math.isfinite(losses[-1]):
        return True
    return len(losses) > FIRST and min(losses[-LAST:]) > FAR * max(losses[:FIRST])
