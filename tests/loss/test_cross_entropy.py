import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax, one_hot

from tests.loss.losses import LABELS, LOGITS, NAMES, RARE, loss


def test_it_is_the_mean_of_minus_the_log_probability_of_the_label():
    expected = -log_softmax(LOGITS, 1)[torch.arange(6), LABELS].mean()
    torch.testing.assert_close(loss("cross_entropy")(LOGITS, LABELS), expected)


def test_label_smoothing_spreads_its_share_of_the_label_over_all_classes():
    smoothed = 0.9 * one_hot(LABELS, 4) + 0.1 / 4
    expected = -(smoothed * log_softmax(LOGITS, 1)).sum(1).mean()
    torch.testing.assert_close(loss("cross_entropy", label_smoothing=0.1)(LOGITS, LABELS), expected)


def test_each_image_has_the_weight_of_its_class():
    weights = torch.tensor([1.0, 1.0, 1.0, 5.0])
    costs = -log_softmax(LOGITS, 1)[torch.arange(6), LABELS] * weights[LABELS]
    found = loss("cross_entropy", weight={"d": 5})(LOGITS, LABELS)
    torch.testing.assert_close(found, costs.sum() / weights[RARE].mean() / 6, check_dtype=False)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@pytest.mark.parametrize("weight", [None, "balanced"])
def test_a_batch_in_two_parts_has_the_mean_of_their_losses(name, weight):
    whole = loss(name, weight=weight)
    parts = torch.stack([whole(LOGITS[:3], LABELS[:3]), whole(LOGITS[3:], LABELS[3:])])
    torch.testing.assert_close(whole(LOGITS, LABELS), parts.mean())


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.1}, {"weight": "balanced"}])
def test_the_loss_of_mixed_labels_is_the_mix_of_the_losses(changes):
    criterion, other = loss("cross_entropy", **changes), LABELS.flip(0)
    mixed = 0.3 * one_hot(LABELS, 4) + 0.7 * one_hot(other, 4)
    wanted = 0.3 * criterion(LOGITS, LABELS) + 0.7 * criterion(LOGITS, other)
    torch.testing.assert_close(criterion(LOGITS, mixed), wanted)


@pytest.mark.parametrize("name", ["cross_entropy", "bce"])
@pytest.mark.parametrize("weight", [None, "balanced", "auto", {"a": 3}])
def test_no_other_constant_is_better_than_the_one_it_gives(name, weight):
    criterion = loss(name, weight=weight)
    shares = torch.bincount(torch.from_numpy(RARE), minlength=len(NAMES)) / len(RARE)
    labels = torch.from_numpy(RARE)
    constant = criterion.constant(shares).requires_grad_(True)
    criterion(constant.expand(len(labels), -1), labels).backward()
    assert constant.grad is not None
    np.testing.assert_allclose(constant.grad, 0, atol=1e-6)
