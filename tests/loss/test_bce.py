import numpy as np
import torch
from torch.nn.functional import logsigmoid, one_hot

from tests.loss.losses import LABELS, LOGITS, loss

TAGS = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]])


def costs(yes: torch.Tensor) -> torch.Tensor:
    return -(yes * logsigmoid(LOGITS) + (1 - yes) * logsigmoid(-LOGITS))


def test_each_class_is_a_question_of_its_own():
    torch.testing.assert_close(loss("bce")(LOGITS, TAGS.float()), costs(TAGS.float()).mean())


def test_one_class_per_image_is_a_yes_and_three_times_a_no():
    torch.testing.assert_close(loss("bce")(LOGITS, LABELS), costs(one_hot(LABELS, 4).float()).mean())


def test_label_smoothing_spreads_its_share_over_yes_and_no():
    found = loss("bce", label_smoothing=0.2)(LOGITS, TAGS.float())
    torch.testing.assert_close(found, costs(0.8 * TAGS + 0.1).mean())


def test_balanced_weights_make_yes_and_no_weigh_the_same():
    tags = np.array([[1, 0, 0, 1]] * 9 + [[0, 1, 0, 1]], dtype=bool)
    criterion = loss("bce", labels=tags, weight="balanced")
    given = torch.from_numpy(tags).float()
    logits = torch.zeros(10, 4, requires_grad=True)
    criterion(logits, given).backward()
    assert logits.grad is not None
    pulls = logits.grad * 80  # of 40 answers, where the slope of a sigmoid is a half
    np.testing.assert_allclose((pulls * given).sum(0)[:2], [-5, -5], rtol=1e-5)
    np.testing.assert_allclose((pulls * (1 - given)).sum(0)[:2], [5, 5], rtol=1e-5)
    assert criterion(logits, given).item() < np.log(2) + 1e-6
