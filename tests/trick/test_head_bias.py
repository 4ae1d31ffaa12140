import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from imagelab.problem import Problem
from imagelab.trick.head_bias import class_shares, set_bias
from tests.fitting import SHORT, built, fitted


def skewed(data):
    """Nine of ten images are of the first class, the others of the second one."""
    images = data.splits["train"]
    labels = (np.arange(len(images)) % 10 == 0).astype(np.int64)
    data.splits["train"] = images.relabel(labels)
    data.train_set = data._viewed("train", augmented=True)


def test_the_loss_at_init_is_the_entropy_of_the_labels(tmp_path):
    for words in (
        ["model=small_cnn"],
        [
            "model=resnet9",
            "model._target_=tests.trick.test_head_bias.Scaled",
            "~model.width",
            "~model.kernel_size",
            "~model.join",
            "~model.logit_scale",
        ],
    ):
        parts = built([*SHORT, *words, "trick=[head_bias]"], tmp_path)
        trick = next(one for one in parts.trainer.callbacks if type(one).__name__ == "HeadBias")
        skewed(parts.data)
        images = parts.data.sample(200)
        before = functional.cross_entropy(parts.classifier.eval()(images), torch.zeros(200).long()).item()
        trick.prepare(parts.classifier, parts.data)
        labels = torch.from_numpy(parts.data.splits["train"].labels[:1000])
        entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
        logits = parts.classifier.eval()(images).mean(0, keepdim=True).expand(len(labels), -1)
        assert before == pytest.approx(np.log(10), abs=0.25)
        assert functional.cross_entropy(logits, labels).item() == pytest.approx(entropy, abs=0.06)


def test_with_balanced_sampling_all_classes_are_equally_likely():
    labels = np.array([0] * 9 + [1])
    assert class_shares(labels, 2, balanced=True).tolist() == [0.5, 0.5]
    assert class_shares(labels, 2, balanced=False).tolist() == pytest.approx([0.9, 0.1])


def test_training_starts_with_the_bias_set(tmp_path):
    words = [*SHORT, "trick=[head_bias]", "optimizer=sgd", "optimizer.lr=1e-9", "optimizer.weight_decay=0"]
    parts = fitted(words, tmp_path)
    counts = np.bincount(parts.data.splits["train"].labels, minlength=10)
    assert parts.classifier.net.head.bias.exp().tolist() == pytest.approx(
        (counts / counts.sum()).tolist(), rel=1e-4
    )


def test_a_head_without_a_bias_is_refused():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False))
    with pytest.raises(Problem, match="no bias for each of 3 classes"):
        set_bias(net, torch.zeros(3), torch.zeros(2, 1, 2, 2))


class Scaled(nn.Module):
    """A network that makes its logits eight times smaller after its last layer."""

    def __init__(self, num_classes: int, in_channels: int):
        super().__init__()
        self.head = nn.Linear(in_channels * 64, num_classes)

    def forward(self, images):
        return self.head(images.flatten(1)) / 8
