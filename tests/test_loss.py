from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.nn.functional import log_softmax, one_hot

CONFIG = Path(__file__).parents[1] / "configs/loss/cross_entropy.yaml"


def cross_entropy(**changes: float) -> torch.nn.Module:
    return instantiate(OmegaConf.load(CONFIG), **changes)


LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def test_cross_entropy_is_the_mean_of_minus_the_log_probability_of_the_label():
    expected = -log_softmax(LOGITS, 1)[torch.arange(6), LABELS].mean()
    torch.testing.assert_close(cross_entropy()(LOGITS, LABELS), expected)


def test_label_smoothing_spreads_its_share_of_the_label_over_all_classes():
    smoothed = 0.9 * one_hot(LABELS, 4) + 0.1 / 4
    expected = -(smoothed * log_softmax(LOGITS, 1)).sum(1).mean()
    torch.testing.assert_close(cross_entropy(label_smoothing=0.1)(LOGITS, LABELS), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_labels_is_the_mix_of_the_losses(smoothing: float):
    loss, other = cross_entropy(label_smoothing=smoothing), LABELS.flip(0)
    mixed = 0.3 * one_hot(LABELS, 4) + 0.7 * one_hot(other, 4)
    torch.testing.assert_close(loss(LOGITS, mixed), 0.3 * loss(LOGITS, LABELS) + 0.7 * loss(LOGITS, other))
