"""Metrics against scikit-learn, and by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, top_k_accuracy_score

from imagelab.metrics.classification import split_metrics
from imagelab.metrics.outputs import Outputs


def example(classes, count=500):
    generator = torch.Generator().manual_seed(classes)
    labels = torch.randint(classes, (count,), generator=generator)
    logits = torch.randn(count, classes, generator=generator) + 1.5 * torch.nn.functional.one_hot(
        labels, classes
    )
    return logits, labels


@pytest.mark.parametrize("classes", [3, 12])
def test_metrics_equal_scikit_learns(classes):
    logits, labels = example(classes)
    metrics = split_metrics(logits, labels, torch.nn.functional.cross_entropy)
    guess = logits.argmax(1)
    assert float(metrics["accuracy"]) == pytest.approx(accuracy_score(labels, guess))
    assert float(metrics["accuracy_macro"]) == pytest.approx(balanced_accuracy_score(labels, guess))
    assert float(metrics["f1_macro"]) == pytest.approx(f1_score(labels, guess, average="macro"), abs=1e-6)
    if classes > 10:
        assert float(metrics["accuracy_top5"]) == pytest.approx(top_k_accuracy_score(labels, logits, k=5))
    else:
        assert "accuracy_top5" not in metrics


def test_ece_equals_the_formula_of_guo_et_al():
    logits, labels = example(4)
    confidence, guess = logits.softmax(1).max(1)
    bins = np.minimum((confidence * 15).long().numpy(), 14)
    right = (guess == labels).double().numpy()
    expected = sum(
        abs(right[bins == b].mean() - confidence.numpy()[bins == b].mean()) * (bins == b).mean()
        for b in set(bins)
    )
    metrics = split_metrics(logits, labels, torch.nn.functional.cross_entropy)
    assert float(metrics["ece"]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 500])
def test_metrics_do_not_depend_on_the_batch_size(batch):
    logits, labels = example(3)
    outputs = Outputs()
    for first in range(0, 500, batch):
        outputs.add(logits[first : first + batch], labels[first : first + batch])
    gathered = outputs.take(3, torch.device("cpu"))
    assert torch.equal(gathered[0], logits)
    assert torch.equal(gathered[1], labels)
    assert outputs.logits == []
