"""Compute what a run's loss costs at chance level and at best: the yardstick of every check that trains."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from imagelab.checks.subject import Subject
from imagelab.classifier import Classifier
from imagelab.contracts import Inputs

Criterion = Callable[[Tensor, Tensor], Tensor]

IMAGES = 256  # labels in proportion to the classes
UNBOUNDED = -1e3  # a loss below this has no minimum


@dataclass(frozen=True)
class Levels:
    """Losses to compare others with.

    uniform: Loss of outputs that are all 0. chance: lowest loss of the same outputs for every image; the
    entropy of the labels for cross entropy. floor: lowest possible loss, above 0 if labels are smoothed.
    """

    uniform: float
    chance: float
    floor: float

    @property
    def unit(self) -> float:
        """Loss between chance level and the lowest possible one, at least 1e-6."""
        return max(self.chance - self.floor, 1e-6)

    def at(self, share: float) -> float:
        """The loss that leaves this share of what there is to learn."""
        return self.floor + share * self.unit


def levels(subject: Subject) -> Levels:
    """The losses of the run's task at chance level and at best."""
    if "levels" not in subject.pictures:
        subject.pictures["levels"] = _levels(subject)
    return subject.pictures["levels"]


def criterion_of(module: Classifier) -> Criterion:
    """The loss of a module's task, as a function of outputs and targets."""

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        index = torch.arange(len(outputs))
        batch = Inputs(images=torch.empty(len(outputs), 0), targets=targets, labels=targets, index=index)
        return module.task.loss(lambda _: outputs, batch)

    return criterion


def lowest(criterion: Criterion, labels: Tensor, classes: int, *, alike: bool) -> float:
    """The lowest loss of any outputs, or of outputs alike for all images; NaN if there is none.

    >>> cross_entropy = torch.nn.functional.cross_entropy
    >>> round(lowest(cross_entropy, torch.tensor([0, 1, 1, 1]), 2, alike=True), 4)
    0.5623
    """
    outputs = torch.zeros(1 if alike else len(labels), classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([outputs], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = criterion(outputs.expand(len(labels), classes), labels)
        loss.backward()
        return loss

    optimizer.step(closure)  # pyright: ignore[reportArgumentType]
    value = float(closure().detach())
    return value if math.isfinite(value) and value > UNBOUNDED else math.nan


def _levels(subject: Subject) -> Levels:
    criterion = criterion_of(subject.plain())
    shares = subject.label_shares
    classes = len(subject.data.classes)
    counts = np.ceil(IMAGES * shares).astype(int)
    labels = torch.arange(classes).repeat_interleave(torch.from_numpy(counts))
    with torch.no_grad():
        uniform = float(criterion(torch.zeros(len(labels), classes), labels))
    chance = lowest(criterion, labels, classes, alike=True)
    smoothed = getattr(getattr(subject.classifier.task, "criterion", None), "label_smoothing", 0.0)
    floor = lowest(criterion, labels, classes, alike=False) if smoothed else 0.0
    if not floor < chance:  # no classification loss: the check of the loss says so
        return Levels(math.log(classes), subject.label_entropy, 0.0)
    return Levels(uniform, chance, floor)
