"""Define the module that Lightning trains: images -> outputs -> loss -> step."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from imagelab.contracts import Inputs, Penalty, Rewire
from imagelab.metrics.names import RAW, metric_of
from imagelab.metrics.outputs import Outputs, Seen, keep
from imagelab.metrics.table import ACCURACY
from imagelab.randomness import seed_step
from imagelab.schedule import Schedule
from imagelab.task.contract import Task
from imagelab.task.fitted import fitted_numbers
from imagelab.terminal.summary import StageRow
from imagelab.training.agreed_loss import same_on_all_ranks
from imagelab.training.correct_count import CorrectCount
from imagelab.training.guidance import Guides
from imagelab.training.light_module import LightModule
from imagelab.training.loss_record import Diverged, LossRecord
from imagelab.training.penalties import LossTerms
from imagelab.training.recipe import share_of_rank
from imagelab.training.split_batch import SplitBatch, gradient_scale
from imagelab.training.step_plan import StepPlan, opens_step, window_scale

Groups = list[dict[str, Any]]


class Classifier(LightModule):
    """Train any network that maps images (B, C, H, W) to outputs (B, K): logits, or whatever the task needs.

    Args:
        net: Network to train.
        task: Task, which defines loss and metrics.
        optimizer: Function that makes the optimizer from parameter groups.
        groups: Parameter groups, each with its "name" and peak "lr".
        schedule: Factor on the rate of every group, a pure function of the step.
        step_plan: Steps of the run, epoch by epoch.
        card: Plain data stored in every checkpoint: classes, preprocessing, the network's config.
        seed: Seed of every draw.
        channels_last: Whether the network's weights are in that memory format.
        window: Number of batches that the logged training loss is averaged over.
        penalties: Tricks that add a term to the loss, by name.
        rewires: Tricks that replace weights for a training step, in order.
        split: What computes the loss of a batch, in parts if memory runs out.
    """

    def __init__(
        self,
        *,
        net: nn.Module,
        task: Task,
        optimizer: Callable[[Groups], Optimizer],
        groups: Groups,
        schedule: Schedule,
        step_plan: StepPlan,
        card: dict[str, Any],
        seed: int,
        channels_last: bool,
        window: int,
        penalties: dict[str, Penalty],
        rewires: list[Rewire],
        split: SplitBatch,
    ) -> None:
        super().__init__()
        self.net, self.task = net, task
        self.make_optimizer = optimizer
        self.groups = groups
        self.schedule = schedule
        self.card = card
        self.seed, self.channels_last = seed, channels_last
        self.losses = LossRecord(window=window)
        self.terms = LossTerms(penalties=penalties, window=window)
        self.correct = CorrectCount()
        self.rewires = rewires
        self.split = split
        self.outputs = Outputs()
        self.guides: list[Guides] = []  # tricks that change the loss of a batch, in order
        self.averages: dict[str, nn.Module] = {}  # validated beside the network, by name; set by a trick
        self.averages_outputs: dict[str, Outputs] = defaultdict(Outputs)
        self.fitted: dict[str, dict[str, Tensor]] = {}  # numbers of the task, by set of weights
        self.seen: dict[str, Seen] = {}  # by split, from the last validation or test
        self.step_plan = step_plan
        self.evaluations = 0  # of the loss, for this batch
        self.history: list[dict[str, float]] = []  # the metrics of each epoch
        self.batch_ended = 0.0  # time from which the loop waits for the next batch

    def forward(self, images: Tensor, net: nn.Module | None = None, **more: Tensor) -> Tensor:
        """Normalised images (B, C, H, W) -> outputs (B, K); `net`: other weights; `more`: for the network."""
        if self.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        if self.training and self.rewires:
            return cast(Tensor, functional_call(self.net, self._rewired(), (images,), more))
        return (net or self.net)(images, **more)

    def configure_optimizers(self) -> Optimizer:
        for group in self.groups:
            group["initial_lr"] = group["lr"]
        return self.make_optimizer(self.groups)

    def on_train_start(self) -> None:
        self.step_plan = replace(self.step_plan, batches=int(self.trainer.num_training_batches))

    def on_train_batch_start(self, batch: Inputs, batch_idx: int) -> None:
        self.evaluations = 0
        if opens_step(self.trainer, batch_idx):
            factor = self.schedule.scale(self.trainer.global_step, self.step_plan, self.history)
            for group in (group for one in self.trainer.optimizers for group in one.param_groups):
                group["lr"] = group["initial_lr"] * factor * self.rate_share(group, batch_idx)

    def training_step(self, batch: Inputs, batch_idx: int) -> Tensor:
        # L-BFGS calls this several times per step: always the same function, and only the first is recorded.
        begin = partial(seed_step, self.seed, self.current_epoch, batch_idx, self.global_rank)
        number = self.current_epoch * self.step_plan.batches + batch_idx

        def compute(part: Inputs) -> tuple[Tensor, Tensor | None]:
            outputs: list[Tensor] = []
            loss = self.task.loss(
                lambda *given, **more: outputs.append(self(*given, **more)) or outputs[-1], part
            )
            correct = self.task.correct(outputs[-1].detach(), part)
            for guide in self.guides:
                loss = guide.guided(loss, outputs[-1], part, self, number)
            return loss, correct

        self.evaluations += 1
        loss = self.split.loss(begin, compute, self.net, batch, scale=gradient_scale(self.trainer))
        if self.evaluations == 1:
            self.losses.add(loss)
            for part in self.split.correct:
                self.correct.add(part)
        for term in self.terms.of(self.net, record=self.evaluations == 1):
            loss = loss + term
        return same_on_all_ranks(loss * window_scale(self.trainer, batch_idx), self.trainer)

    def on_train_batch_end(self, *_: Any) -> None:
        self.batch_ended = time.perf_counter()

    def validation_step(self, batch: Inputs, batch_idx: int) -> None:
        self.outputs.add(*self.task.outputs(self, batch))
        for name, net in self.averages.items():
            self.averages_outputs[name].add(*self.task.outputs(partial(self, net=net), batch))

    def test_step(self, batch: Inputs, batch_idx: int) -> None:
        self.outputs.add(*self.task.outputs(self, batch))

    def on_validation_epoch_end(self) -> None:
        self._finish_split("val", self.outputs, RAW)
        for name in self.averages:
            self._finish_split(metric_of("val", name), self.averages_outputs[name], name)

    def on_test_epoch_end(self) -> None:
        self._finish_split("test", self.outputs)

    def on_train_epoch_end(self) -> None:
        self.flush_losses()
        mean = self.across_ranks(self.losses.epoch_mean())
        self.losses.end_epoch()
        accuracy = self._train_accuracy()
        self.log_dict({"train/loss": mean} | accuracy, logger=False)
        splits = {metric_of("val", name) for name in (RAW, *self.averages)}
        val = {
            name: float(value)
            for name, value in self.trainer.callback_metrics.items()
            if name.partition("/")[0] in splits
        }
        self.history.append({"train/loss": mean} | accuracy | val)
        self.write({"train/loss_epoch": mean} | accuracy | self.terms.end_epoch() | val)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Called on every rank and written by the first: the losses of all ranks, (ranks, n).
        records = self.losses.state_dict() | self.terms.state_dict() | self.correct.state_dict()
        losses = {name: self.gather(values) for name, values in records.items()}
        checkpoint["fitted"] = self.fitted
        checkpoint["imagelab"] = self.card | {"losses": losses, "history": self.history}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        losses, self.history = checkpoint["imagelab"]["losses"], checkpoint["imagelab"]["history"]
        self.fitted = checkpoint.get("fitted", {})
        mine = share_of_rank(losses, self.global_rank, self.trainer.world_size)
        for record in (self.losses, self.terms, self.correct):
            record.load_state_dict(mine)

    def rate_share(self, group: dict[str, Any], batch_idx: int) -> float:
        """The factor on the scheduled rate of a parameter group at a batch of the current epoch."""
        return 1.0

    def stage_rows(self) -> list[StageRow]:
        """Rows that describe each stage, if stages differ."""
        return []

    def running_loss(self) -> float:
        """Mean training loss of the last logged window, for the progress bar."""
        return self.losses.running()

    def flush_losses(self) -> None:
        """Fetch the losses so far; raise `Diverged` on every rank if any rank has a non-finite one."""
        records = [self.losses, *self.terms.records.values()]
        for record in records:
            record.flush()
        bad = min(float("inf") if record.bad is None else float(record.bad) for record in records)
        bad = -self.across_ranks(-bad, "max")
        if bad != float("inf"):
            step = self.step_plan.step(self.current_epoch, int(bad))
            raise Diverged(
                f"The training loss became NaN or infinite at step {step} (epoch {self.current_epoch + 1}). "
                "Try a lower learning rate first (a tenth of optimizer.lr, schedule.warmup=0.1, "
                "trainer.gradient_clip_val=1), then check trainer.precision and the data."
            )

    def write(self, metrics: dict[str, float]) -> None:
        """Pass metrics of this step to every logger."""
        for logger in self.trainer.loggers if self.trainer.is_global_zero else []:
            logger.log_metrics({"epoch": self.current_epoch} | metrics, step=self.trainer.global_step)

    def across_ranks(self, value: float, how: str = "mean") -> float:
        """The mean, or another reduction, of a number over all ranks."""
        if self.trainer.world_size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        return float(self.trainer.strategy.reduce(tensor, reduce_op=how))

    def gather(self, values: Tensor) -> Tensor:
        """The values of all ranks, (ranks, n), of those of this one, (n,)."""
        alone = self.trainer.world_size == 1
        return values[None] if alone else cast(Tensor, self.all_gather(values.to(self.device))).cpu()

    def _train_accuracy(self) -> dict[str, float]:
        correct, images = (self.across_ranks(count, "sum") for count in self.correct.end_epoch())
        return {f"train/{ACCURACY}": correct / images} if images else {}

    def _rewired(self) -> dict[str, Tensor]:
        return {name: weight for trick in self.rewires for name, weight in trick.rewired(self.net).items()}

    def _finish_split(self, split: str, outputs: Outputs, weights: str = "") -> None:
        taken = outputs.take(self.task.kept, self.device)
        if self.trainer.is_global_zero:
            self.seen[split] = keep(*taken)
        if weights:
            self.fitted[weights] = fitted_numbers(self.task, *taken)
        metrics = self.task.metrics(*taken)
        self.log_dict({f"{split}/{name}": value.float() for name, value in metrics.items()}, logger=False)
