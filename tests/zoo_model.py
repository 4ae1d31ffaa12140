# room: checks
"""Mistakes in networks, losses, optimizers and steps, to plant into the module of a run."""

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.checks.subject import Subject
from imagelab.classifier import Classifier
from imagelab.model.activation import is_activation
from imagelab.model.head import last_layer
from tests.zoo_bugs import BATCHNORM, Bug, become, loss_is, rate_times, wrap
from tests.zoo_parts import Wrapped

Logits = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def costing(function: Logits) -> Callable[[Subject], None]:
    """A function of logits and labels as the loss."""

    class Loss(nn.Module):
        def forward(self, logits, targets):
            if targets.is_floating_point():
                targets = targets.argmax(1)
            return function(logits, targets)

    return loss_is(Loss)


def entropy(logits, labels, **how):
    return functional.cross_entropy(logits, labels, **how)


def half(logits, labels):
    return entropy(logits[: len(logits) // 2], labels[: len(labels) // 2])


def weightless(logits, labels):
    weight = torch.ones(logits.shape[1])
    weight[0] = 0
    return entropy(logits, labels, weight=weight)


class Sigmoid(Wrapped):
    def forward(self, images):
        return self.net(images).sigmoid()


class Tanh(Wrapped):
    def forward(self, images):
        return self.net(images).tanh() * 0.5


class Centred(Wrapped):
    def forward(self, images):
        return self.net(images - images.mean(0, keepdim=True))


class Summing(Wrapped):
    def forward(self, images):
        return self.net(images).cumsum(0)


class Spare(Wrapped):
    """A large layer that forward skips."""

    def __init__(self, net):
        super().__init__(net)
        self.spare = nn.Linear(500, 500)

    @classmethod
    def plant(cls, subject: Subject) -> None:
        wrap(subject, cls)
        subject.classifier.groups[0]["params"] += list(subject.classifier.net.spare.parameters())


class Whole(Wrapped):
    def forward(self, images):
        return self.net(images.clamp(0, 1).long().float() * 0)


def each(logits, labels):
    return entropy(logits, labels, reduction="none")


class Divides(Wrapped):
    def forward(self, images):
        return self.net(images) / (images * 0).sum()


class Gradless(Wrapped):
    def forward(self, images):
        with torch.no_grad():
            return self.net(images)


class Guessing(Wrapped):
    def forward(self, images):
        outputs = self.net(images)
        return outputs[:, torch.randperm(outputs.shape[1])]


def linear(subject: Subject) -> None:
    net = subject.classifier.net
    for name, layer in list(net.named_modules()):
        if is_activation(layer):
            net.set_submodule(name, nn.Identity())
        if isinstance(layer, nn.MaxPool2d):
            net.set_submodule(name, nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
        if isinstance(layer, nn.AdaptiveMaxPool2d):
            net.set_submodule(name, nn.AdaptiveAvgPool2d(layer.output_size))


def momentum(value: float) -> Callable[[Subject], None]:
    def plant(subject: Subject) -> None:
        for layer in subject.classifier.net.modules():
            if isinstance(layer, _BatchNorm):
                layer.momentum = value

    return plant


def untracked(subject: Subject) -> None:
    for layer in subject.classifier.net.modules():
        if isinstance(layer, _BatchNorm):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = None


def weights_times(factor: float) -> Callable[[Subject], None]:
    def plant(subject: Subject) -> None:
        for layer in subject.classifier.net.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.data.mul_(factor)

    return plant


def copied_weights(subject: Subject) -> None:
    for group in subject.classifier.groups:
        group["params"] = copy.deepcopy(group["params"])


def only_biases(subject: Subject) -> None:
    for group in subject.classifier.groups:
        group["params"] = [one for one in group["params"] if one.ndim == 1]


def frozen_head(subject: Subject) -> None:
    for one in last_layer(subject.classifier.net)[1].parameters():
        one.requires_grad_(False)


def configured(**trainer: object) -> Callable[[Subject], None]:
    def plant(subject: Subject) -> None:
        subject.cfg["trainer"] |= trainer

    return plant


def overflowing(subject: Subject) -> None:
    subject.cfg["trainer"]["precision"] = "16-mixed"
    first = next(m for m in subject.classifier.net.modules() if isinstance(m, nn.Conv2d))
    first.weight.data.mul_(1e6)


def sudden(subject: Subject) -> None:
    """The rate falls tenfold at each step."""
    kind = type(subject.classifier.schedule)

    class Falling(kind):
        def scale(self, step, step_plan, history=()):
            return 0.1**step

    schedule = copy.copy(subject.classifier.schedule)
    object.__setattr__(schedule, "__class__", Falling)
    subject.classifier.schedule = schedule


class NeverSteps(Classifier):
    def on_train_batch_start(self, batch, batch_idx):
        self.evaluations = 0


class StepsTwice(Classifier):
    def on_train_batch_start(self, batch, batch_idx):
        super().on_train_batch_start(batch, batch_idx)
        factor = self.schedule.scale(2 * self.trainer.global_step, self.step_plan)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * factor


class Sums(Classifier):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) * self.trainer.accumulate_grad_batches


class DividesTwice(Classifier):
    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx) / self.trainer.accumulate_grad_batches


class KeepsWindows(Classifier):
    """Gradients are cleared, but not if several batches make a step."""

    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        if self.trainer.accumulate_grad_batches == 1:
            optimizer.zero_grad()


class ClearsEarly(Classifier):
    def on_before_optimizer_step(self, optimizer):
        optimizer.zero_grad()


class Ascends(Classifier):
    def on_after_backward(self):
        for one in self.net.parameters():
            if one.grad is not None:
                one.grad.neg_()


class CountsWrong(Classifier):
    def on_validation_epoch_end(self):
        super().on_validation_epoch_end()
        right = self.trainer.callback_metrics["val/accuracy"]
        self.log("val/accuracy", 1 - right, logger=False)


class Lagging(Classifier):
    """Outputs of a batch are stored for the labels of the one before."""

    def validation_step(self, batch, batch_idx):
        outputs, labels = self.task.outputs(self, batch)
        self.outputs.add(outputs, labels.roll(1))


FOUR = ("trainer.accumulate_grad_batches=4",)
MODEL: dict[str, Bug] = {
    "likelihood of raw outputs": Bug("loss function", costing(functional.nll_loss)),
    "loss clamped at 2": Bug("loss function", costing(lambda o, t: each(o, t).clamp(max=2).mean())),
    "loss clamped at 5": Bug("loss function", costing(lambda o, t: each(o, t).clamp(max=5).mean())),
    "loss of half a batch": Bug("loss function", costing(half)),
    "loss a million times too large": Bug("loss function", costing(lambda o, t: 1e6 * entropy(o, t))),
    "labels off by one in the loss": Bug(
        "loss function", costing(lambda o, t: entropy(o, (t + 1) % o.shape[1]))
    ),
    "loss detached": Bug("gradients", costing(lambda o, t: entropy(o, t).detach() + 0 * o.sum())),
    "first class ignored by the loss": Bug(
        "loss function", costing(lambda o, t: entropy(o, t, ignore_index=0))
    ),
    "first class without weight": Bug("loss function", costing(weightless)),
    "loss of the worst image": Bug("loss function", costing(lambda o, t: each(o, t).max())),
    "sigmoid before cross entropy": Bug("overfit one batch", lambda s: wrap(s, Sigmoid), trains=True),
    "tanh before cross entropy": Bug("overfit one batch", lambda s: wrap(s, Tanh), trains=True),
    "network without a nonlinearity": Bug("nonlinearity", linear),
    "weights 100 times too large": Bug("loss at init", weights_times(100.0), ("model.norm=none",)),
    "dropout of 0.98": Bug(
        "input-independent baseline",
        lambda s: None,
        ("model.dropout=0.98", "model.dropout2d=0.9"),
        trains=True,
    ),
    "mean of the batch taken off": Bug("batch leak", lambda s: wrap(s, Centred)),
    "outputs summed over the batch": Bug("batch leak", lambda s: wrap(s, Summing)),
    "large layer that forward skips": Bug("gradients", Spare.plant),
    "BatchNorm with the momentum of others": Bug("batch statistics", momentum(0.9), BATCHNORM),
    "BatchNorm with a momentum of 0.99": Bug("batch statistics", momentum(0.99), BATCHNORM),
    "BatchNorm without running statistics": Bug("evaluation image by image", untracked, BATCHNORM),
    "inputs cast to whole numbers": Bug("batch leak", lambda s: wrap(s, Whole)),
    "division by zero": Bug("logits", lambda s: wrap(s, Divides)),
    "no_grad around the network": Bug("batch leak", lambda s: wrap(s, Gradless)),
    "outputs in random order": Bug("evaluation image by image", lambda s: wrap(s, Guessing)),
    "copies of the weights in the optimizer": Bug("optimizer", copied_weights),
    "only biases in the optimizer": Bug("optimizer", only_biases),
    "head frozen by mistake": Bug("optimizer", frozen_head),
    "gradients clipped to 1e-6": Bug("gradient clipping", configured(gradient_clip_val=1e-6)),
    "rate below 0": Bug("rates", rate_times(-1.0)),
    "rate of 1e-12": Bug(
        "update of the weights", lambda s: rate_times(1e-12 / s.classifier.groups[0]["lr"])(s), warns=True
    ),
    "float16 overflows": Bug("half precision", overflowing),
    "rate falls tenfold at each step": Bug("rates", sudden),
    "a batch of one with BatchNorm": Bug(
        "batch statistics", lambda s: None, ("data.batch_size=1", *BATCHNORM)
    ),
    "dropout of 0.95": Bug("dropout", lambda s: None, ("model.dropout=0.95",), warns=True),
    "schedule never stepped": Bug("schedule", lambda s: become(s, NeverSteps)),
    "schedule stepped twice": Bug("schedule", lambda s: become(s, StepsTwice)),
    "gradients of batches summed": Bug("accumulation", lambda s: become(s, Sums), FOUR),
    "gradients of batches divided twice": Bug("accumulation", lambda s: become(s, DividesTwice), FOUR),
    "gradients kept between steps of several batches": Bug(
        "accumulation", lambda s: become(s, KeepsWindows), FOUR
    ),
    "gradients cleared before the step": Bug(
        "overfit one batch", lambda s: become(s, ClearsEarly), trains=True
    ),
    "gradients of the wrong sign": Bug("overfit one batch", lambda s: become(s, Ascends), trains=True),
    "accuracy counts what is wrong": Bug("metrics of the whole split", lambda s: become(s, CountsWrong)),
    "outputs stored for other labels": Bug("metrics of the whole split", lambda s: become(s, Lagging)),
}
