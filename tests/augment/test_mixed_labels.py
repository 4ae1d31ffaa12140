"""Mixed labels: in the loss as they are, smoothed too; in metrics never."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from torchmetrics.functional.classification import multiclass_accuracy

from imagelab.build import Parts
from imagelab.metrics.classification import split_metrics
from tests.fitting import SHORT, built

SMOOTHING = 0.1


class Call(NamedTuple):
    """Of the loss: what it was asked, and its answer."""

    logits: Tensor
    targets: Tensor
    value: Tensor


def trained(choice: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Parts, list[Call]]:
    """A short run in which every batch is mixed, and all calls of its loss."""
    mixing = [f"augment=[{choice}]", f"augment.{choice}.p=1", f"loss.label_smoothing={SMOOTHING}"]
    parts = built([*SHORT, *mixing], folder)
    calls, loss = [], parts.classifier.task.criterion
    assert isinstance(loss, torch.nn.Module)
    compute = loss.forward

    def noted(logits: Tensor, targets: Tensor) -> Tensor:
        value = compute(logits, targets)
        calls.append(Call(logits.detach(), targets, value.detach()))
        return value

    monkeypatch.setattr(loss, "forward", noted)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts, calls


@pytest.mark.parametrize("choice", ["mixup", "cutmix", "copy_paste"])
def test_the_loss_of_a_run_smooths_mixed_labels_by_the_formula(choice, tmp_path, monkeypatch) -> None:
    parts, calls = trained(choice, tmp_path, monkeypatch)
    steps = [call for call in calls if call.targets.is_floating_point()]
    assert len(steps) == parts.trainer.global_step > 1
    for logits, targets, value in steps:
        smoothed = (1 - SMOOTHING) * targets + SMOOTHING / 10
        torch.testing.assert_close(value, -(smoothed * log_softmax(logits, 1)).sum(1).mean())
    assert any(((step.targets > 0) & (step.targets < 1)).any() for step in steps)
    mean = torch.stack([step.value for step in steps]).mean()
    assert float(parts.trainer.callback_metrics["train/loss"]) == pytest.approx(float(mean), rel=1e-5)
    correct = torch.cat([step.logits.argmax(1) == step.targets.argmax(1) for step in steps]).double().mean()
    assert float(parts.trainer.callback_metrics["train/accuracy"]) == pytest.approx(float(correct))


def test_metrics_of_a_run_that_mixes_are_those_of_the_hard_labels(tmp_path, monkeypatch) -> None:
    parts, calls = trained("mixup", tmp_path, monkeypatch)
    labels = torch.from_numpy(parts.data.splits["val"].labels)
    (validation,) = [call for call in calls if not call.targets.is_floating_point()]
    assert validation.targets.equal(labels)
    accuracy = (validation.logits.argmax(1) == labels).double().mean()
    assert float(parts.trainer.callback_metrics["val/accuracy"]) == pytest.approx(float(accuracy))


def test_training_batches_keep_their_hard_labels_beside_the_mixed_ones(tmp_path) -> None:
    data = built([*SHORT, "augment=[mixup,cutmix]"], tmp_path).data
    for batch in data.train_loader(epoch=0, start=0, rank=0, ranks=1):
        inputs = data.prepare_batch(batch, train=True, rank=0)
        assert inputs.targets.is_floating_point()
        assert inputs.labels.equal(batch.labels)
        assert data.prepare_batch(batch, train=False, rank=0).targets.equal(batch.labels)


def test_torchmetrics_would_take_mixed_labels_in_silence_and_be_wrong() -> None:
    labels = torch.arange(4)
    hard = torch.eye(4)
    mixed = 0.7 * hard + 0.3 * hard.roll(1, 0)
    logits = 10 * hard  # right for every image
    assert float(multiclass_accuracy(logits.softmax(1), mixed, 4, average="micro")) == 0
    assert float(split_metrics(logits, labels, torch.nn.functional.cross_entropy)["accuracy"]) == 1
