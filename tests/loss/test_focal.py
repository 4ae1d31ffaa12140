import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot, softmax

from tests.loss.losses import LABELS, LOGITS, loss


def test_without_gamma_it_is_cross_entropy():
    torch.testing.assert_close(loss("focal", gamma=0.0)(LOGITS, LABELS), cross_entropy(LOGITS, LABELS))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_an_image_counts_by_the_power_of_what_its_class_lacks(gamma):
    sure = softmax(LOGITS, 1)[torch.arange(6), LABELS]
    torch.testing.assert_close(
        loss("focal", gamma=gamma)(LOGITS, LABELS), ((1 - sure) ** gamma * -sure.log()).mean()
    )


def test_the_loss_of_mixed_labels_is_the_mix_of_the_losses():
    criterion, other = loss("focal", weight="balanced"), LABELS.flip(0)
    mixed = 0.3 * one_hot(LABELS, 4) + 0.7 * one_hot(other, 4)
    wanted = 0.3 * criterion(LOGITS, LABELS) + 0.7 * criterion(LOGITS, other)
    torch.testing.assert_close(criterion(LOGITS, mixed), wanted)


def test_a_certain_prediction_has_a_finite_slope():
    sure = torch.tensor([[100.0, 0.0, 0.0, 0.0]], requires_grad=True)
    loss("focal", gamma=0.5)(sure, torch.tensor([0])).backward()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()
