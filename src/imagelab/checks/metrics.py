"""Do the metrics of validation equal those of all outputs at once, for any batch size?"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.checks.apart import ALONE, LOST, wake
from imagelab.checks.findings import DETECTOR, fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.trial import Fixed, short_trainer
from imagelab.classifier import Classifier
from imagelab.contracts import Inputs
from imagelab.finding import Finding, grade
from imagelab.metrics.table import ACCURACY
from imagelab.model.head import last_layer
from imagelab.task.fitted import fitted_numbers

MOST, FEWEST = 200, 14  # images
PARTS = (3, 7)  # numbers of batches, the last of which is smaller
NEAR, FAR = 1e-4, 5e-3
SAME, ODD = 1e-5, 1e-3  # outputs that are the same; then metrics that are this far apart have other labels
SPREAD = 3.0  # deviation between the outputs of images


def same_metrics(subject: Subject) -> Finding:
    """Validation by the trainer gives the metrics of all outputs at once, for any batch size."""
    if subject.data.boxes:  # room: detection
        return fact(None, DETECTOR)
    whole = len(subject.data.splits["val"])
    count = min(MOST, max(FEWEST, 2 * subject.count), whole)
    index = np.sort(np.random.default_rng(0).permutation(whole)[:count])
    sizes = [-(-count // parts) for parts in PARTS]
    copy = subject.plain()
    _settle(copy, subject.some(min(count, 32)))
    if subject.task is not None:
        _spread(copy, subject.some(min(count, 32)))
    first, second = (_read(subject, index, size) for size in sizes)
    outputs, labels = _at_once(copy, first)
    fitted_numbers(copy.task, outputs, labels)  # as validation does
    own = {name: float(value) for name, value in copy.task.metrics(outputs, labels).items()}
    right = _right(copy, outputs, labels) if ACCURACY in own else None
    if right is not None:
        own[ACCURACY] = float(right.float().mean())
    apart = dict.fromkeys(own, 0.0)
    away = 0.0
    for batches in [first, *[second] * (subject.data.views == 1)]:
        metrics, given = _validated(subject, copy, batches)
        apart = {name: farther(value, metrics[f"val/{name}"] - own[name]) for name, value in apart.items()}
        if given is not None:
            away = farther(away, float((given - outputs).abs().max() / outputs.abs().max().clamp(min=1e-9)))
    return comparison(apart, away, own, f"{count} images of val in batches of {sizes[0]} and of {sizes[1]}")


def farther(most: float, difference: float) -> float:
    """The larger of two distances; NaN if one is NaN, which `max` may drop.

    >>> import math
    >>> farther(0.0, math.nan), farther(1.0, -2.0)
    (nan, 2.0)
    """
    return float(np.maximum(most, abs(difference)))


def _right(copy: Classifier, outputs: Tensor, labels: Tensor) -> Tensor | None:
    """Which predictions are correct, (N,) bool, as training counts them."""
    batch = Inputs(images=torch.empty(0), targets=labels, labels=labels, index=torch.arange(len(labels)))
    return copy.task.correct(outputs, batch)


def comparison(apart: dict[str, float], away: float, own: dict[str, float], what: str) -> Finding:
    """The finding on how far the metrics of validation are from those of all outputs at once.

    Args:
        apart: Largest distance by name of the metric.
        away: Largest distance of outputs, relative to their size.
        own: Metrics of all outputs at once, by name.
        what: Images and batches that were compared.
    """
    worst = max(apart, key=lambda name: apart[name] if np.isfinite(apart[name]) else np.inf)
    size = max(1.0, abs(own[worst]))
    good = apart[worst] <= NEAR * size and away <= ALONE
    finite = np.isfinite([*apart.values(), away]).all()
    far = ODD if away <= SAME else FAR
    bad = not (apart[worst] <= far * size and away <= LOST)
    if good:
        why = f"{what}, compared with all outputs at once"
        fix = ""
    elif finite:
        why = "the metrics of validation depend on the batches, or on chance"
        fix = "compute metrics once from all outputs, in eval mode"
        if bad and away <= SAME:
            why = (
                "outputs agree but metrics do not: they belong to other labels, or are averaged over batches"
            )
            fix = "keep outputs and labels in the same order; compute metrics once from all outputs"
    else:
        why = "the outputs or metrics of validation are NaN or infinite"
        fix = "look for a division by 0 or a logarithm of 0"
    return found(
        grade(fail=bad, warn=not good),
        f"{worst} differs by {apart[worst]:.2g}, outputs by {away:.2g} of their size",
        expected=f"metrics <= {NEAR:g} apart, FAIL above {far:g}; outputs {ALONE:g}, FAIL above {LOST:g}",
        why=why,
        fix=fix,
    )


def _read(subject: Subject, index: np.ndarray, size: int) -> list[Inputs]:
    return [subject.read("val", part) for part in np.split(index, range(size, len(index), size))]


@torch.no_grad()
def _settle(copy: Classifier, batch: Inputs) -> None:
    """Let BatchNorm learn statistics from some images: with fresh ones, some networks' outputs explode."""
    norms = [layer for layer in copy.net.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 1.0
    copy.train()
    copy(batch.images)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


@torch.no_grad()
def _spread(copy: Classifier, batch: Inputs) -> None:
    """Let outputs differ between images, as after training: if all are the same, so are all metrics."""
    wake(copy.net)
    spread = float(copy.eval()(batch.images).float().std(dim=0).mean())
    if 0 < spread < SPREAD:
        last_layer(copy.net)[1].weight.mul_(SPREAD / spread)


def _validated(
    subject: Subject, copy: Classifier, batches: Sequence[Inputs]
) -> tuple[dict[str, float], Tensor | None]:
    """The metrics of a validation, and its outputs; None if the task does not return outputs."""
    parts: list[Tensor] = []
    make = copy.task.outputs

    def outputs(net: Any, batch: Inputs) -> tuple[Tensor, Tensor]:
        made = make(net, batch)
        parts.append(made[0].detach().float())
        return made

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(copy.task, "outputs", outputs):
        own = {"limit_val_batches": 1.0, "precision": "32-true", "accelerator": "cpu"}  # as the other side
        trainer = short_trainer(subject, Path(folder), [], **own)
        trainer.validate(copy, dataloaders=Fixed(batches), verbose=False)
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    return metrics, torch.cat(parts) if parts else None


@torch.no_grad()
def _at_once(copy: Classifier, batches: Sequence[Inputs]) -> tuple[Tensor, Tensor]:
    copy.eval()
    for layer in copy.modules():
        layer.training = False  # whatever `train` and `eval` have been made to do
    pairs = [copy.task.outputs(copy, batch) for batch in batches]
    outputs, labels = (torch.cat(part) for part in zip(*pairs, strict=True))
    return outputs.float(), labels
