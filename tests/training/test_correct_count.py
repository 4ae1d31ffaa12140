"""The training accuracy of an epoch: counted as the batches pass, exact, at no extra forward pass."""

import csv

import pytest
import torch
from torch.nn import CrossEntropyLoss

from imagelab.contracts import Inputs
from imagelab.task.classify import Classify
from imagelab.training.correct_count import CorrectCount
from tests.fitting import SHORT, built


def test_counts_survive_a_checkpoint_and_restart_with_each_epoch():
    count, other = CorrectCount(), CorrectCount()
    count.add(torch.tensor([True, False, True]))
    other.load_state_dict(count.state_dict())
    for one in (count, other):
        one.add(torch.tensor([True]))
        assert one.end_epoch() == (3, 4)
        assert one.end_epoch() == (0, 0)


def test_a_task_without_correct_answers_counts_no_images():
    count = CorrectCount()
    count.add(None)
    assert count.end_epoch() == (0, 0)


def test_of_mixed_labels_the_one_with_the_larger_share_counts():
    task = Classify(loss=CrossEntropyLoss(), classes=["ant", "bee", "fly"])
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.3, 0.7, 0.0], [0.0, 0.4, 0.6]])
    batch = Inputs(torch.zeros(3, 1, 2, 2), shares, torch.tensor([1, 0, 2]), torch.arange(3))
    assert task.correct(torch.tensor([[2.0, 1.0, 0.0]] * 3), batch).tolist() == [True, False, False]
    assert task.correct(shares, batch).all()
    plain = batch._replace(targets=batch.labels)
    assert task.correct(torch.tensor([[0.0, 2.0, 1.0]] * 3), plain).tolist() == [True, False, False]


def test_the_training_accuracy_is_that_of_the_batches_as_they_were_trained_on(tmp_path):
    parts = built([*SHORT, "trainer.max_epochs=2", "augment=[crop,cutout]"], tmp_path)
    correct, sizes = [], []

    def count(module, inputs, logits):
        if module.training:
            batch = labels.pop()
            correct.append(int((logits.argmax(1) == batch).sum()))
            sizes.append(len(batch))

    labels, loss = [], parts.classifier.task.loss
    parts.classifier.task.loss = lambda net, batch: labels.append(batch.labels) or loss(net, batch)
    parts.classifier.net.register_forward_hook(count)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    found = [float(row["train/accuracy"]) for row in rows if row["train/accuracy"]]
    steps = len(sizes) // 2
    assert len(sizes) == parts.trainer.global_step  # one forward pass a step, as without the count
    for epoch in (0, 1):
        mine = slice(epoch * steps, (epoch + 1) * steps)
        assert found[epoch] == pytest.approx(sum(correct[mine]) / sum(sizes[mine]), rel=1e-12)
    assert [row["train/accuracy"] for row in parts.classifier.history] == found
