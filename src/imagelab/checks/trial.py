"""Train a few steps on given batches with the trainer, module and optimizer of the run.

The trainer is Lightning's own, so mistakes of the module or the optimizer show here, too. It saves, logs and
validates nothing.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from torch import Tensor

from imagelab.build import build_trainer
from imagelab.checks.subject import Subject
from imagelab.classifier import Classifier
from imagelab.config.facts import says
from imagelab.contracts import Inputs
from imagelab.schedule import Constant, Schedule
from imagelab.training.altering import altering
from imagelab.training.loss_record import Diverged
from imagelab.training.step_plan import StepPlan

SHORT = {
    "max_epochs": 1,
    "accumulate_grad_batches": 1,
    "limit_train_batches": 1.0,
    "limit_val_batches": 0,
    "val_check_interval": 1.0,
    "log_every_n_steps": 1,
    "max_time": None,
    "enable_checkpointing": False,
    "enable_model_summary": False,
}
LINE_SEARCH = "the optimizer sets each step size by a line search over the whole training split"


class Losses(Callback):
    """Stores the loss of each step; stops training at a low enough or a non-finite loss.

    Args:
        until: Mean of the last five losses to stop below; None: all steps are taken.
    """

    def __init__(self, until: float | None = None) -> None:
        self.until = until
        self.values = list[float]()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not outputs:  # of a module that takes its steps itself
            pl_module.losses.flush()
        self.values.append(float(outputs["loss"] if outputs else pl_module.losses.epoch[-1]))
        last = self.values[-5:]
        found = self.until is not None and len(last) == 5 and sum(last) / 5 < self.until
        trainer.should_stop = trainer.should_stop or found or not torch.tensor(last[-1]).isfinite()


class Gradients(Callback):
    """Stores the gradient norm of each parameter in each step; NaN if a parameter has no gradient."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: Any, optimizer: Any) -> None:
        self.steps.append({name: _length(one.grad) for name, one in pl_module.net.named_parameters()})


class Fixed:
    """Fixed batches to train on, instead of a loader."""

    def __init__(self, batches: Sequence[Inputs]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Inputs]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


def train(
    subject: Subject,
    module: Classifier,
    batches: Sequence[Inputs],
    *,
    callbacks: Sequence[Callback] = (),
    rate: float = 1.0,
    warmup: int = 0,
    until: float | None = None,
    schedule: Schedule | None = None,
    window: int = 1,
) -> list[float]:
    """Take one step per batch, or per `window` batches; return the loss of each batch.

    Args:
        subject: Run whose trainer is used.
        module: Copy of the module, trained in place at its peak rates.
        batches: One batch per step, or `window`.
        callbacks: Callbacks that watch the steps.
        rate: Factor on the rates, >= 0.
        warmup: Steps over which rates rise linearly.
        until: Mean of the last five losses to stop below; None: all steps are taken.
        schedule: Schedule instead of the peak rates.
        window: Batches per step.
    """
    for group in module.groups:
        group["lr"] *= rate
    module.schedule = schedule or Constant(warmup=min(warmup, len(batches) - 1), floor=0.0)
    module.step_plan = StepPlan(batches=len(batches), windows=[window], images=len(batches[0].labels))
    losses, tricks = Losses(until), altering(list(subject.tricks.values()))  # such as agc: part of a step
    with tempfile.TemporaryDirectory() as folder:
        watching = [*tricks, *callbacks, losses]
        trainer = short_trainer(subject, Path(folder), watching, accumulate_grad_batches=window)
        precision = trainer.precision_plugin
        module = precision.convert_module(module)  # pyright: ignore[reportAssignmentType]
        given = [batch._replace(images=precision.convert_input(batch.images)) for batch in batches]
        with suppress(Diverged):
            trainer.fit(module, train_dataloaders=Fixed(given))
    module.cpu()
    return losses.values


def short_trainer(subject: Subject, folder: Path, callbacks: list[Callback], **own: Any) -> Trainer:
    """The run's trainer for one short epoch that leaves nothing behind; `own` overrides its arguments."""
    cfg = subject.cfg | {"trainer": subject.cfg["trainer"] | SHORT | own}
    return build_trainer(cfg, folder, callbacks=callbacks, logger=False)


def line_search(subject: Subject) -> bool:
    """Whether the optimizer evaluates the loss several times per step, on all images."""
    return says(subject.cfg["optimizer"]).line_search


def _length(gradient: Tensor | None) -> float:
    return float("nan") if gradient is None else float(gradient.detach().float().norm())
