import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from imagelab.augment.mixup import Mixup
from imagelab.contracts import Augment, Mix
from imagelab.problem import Problem


def batch(count: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.randn(count, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return images, torch.eye(count)


def shares(alpha: float, draws: int) -> np.ndarray:
    """The share of the first image in many batches of two; in double precision, to tell 1 from nearly 1."""
    rng, mixup, (images, targets) = np.random.default_rng(0), Mixup(alpha=alpha, p=1.0), batch(2)
    found = []
    while len(found) < draws:
        _, mixed = mixup.mix(images, targets.double(), rng)
        if mixed[0, 1] > 0:  # not its own partner
            found.append(mixed[0, 0].item())
    return np.array(found)


def test_pixels_are_blended_in_the_same_shares_as_labels():
    images, targets = batch()
    mixed, labels = Mixup(alpha=1.0, p=1.0).mix(images, targets, np.random.default_rng(3))
    torch.testing.assert_close(mixed, torch.einsum("bk,kchw->bchw", labels, images))
    assert not torch.allclose(mixed, images)


def test_each_image_meets_one_partner_and_the_share_is_one_for_the_batch():
    _, labels = Mixup(alpha=1.0, p=1.0).mix(*batch(), np.random.default_rng(3))
    own = labels.diagonal()[labels.diagonal() < 1]
    assert own.unique().numel() == 1
    assert (labels > 0).sum(1).max().item() == 2
    torch.testing.assert_close(labels.sum(0), torch.ones(8))  # a permutation: everyone is partner once


def test_targets_sum_to_one():
    for seed in range(50):
        _, labels = Mixup(alpha=0.2, p=1.0).mix(*batch(), np.random.default_rng(seed))
        torch.testing.assert_close(labels.sum(1), torch.ones(8))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_the_share_follows_the_beta_distribution(alpha: float):
    found = shares(alpha, 3000)
    assert kstest(found, beta(alpha, alpha).cdf).pvalue > 0.01
    assert kstest(found, beta(1.5 * alpha, 1.5 * alpha).cdf).pvalue < 1e-4  # strengths are told apart
    assert found.mean() == pytest.approx(0.5, abs=0.02)
    assert found.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.08)


def test_the_share_of_blended_batches_is_p_and_the_others_stay_as_they_are():
    rng, (images, targets) = np.random.default_rng(0), batch()
    outputs = [Mixup(alpha=1.0, p=0.3).mix(images, targets, rng) for _ in range(2000)]
    untouched = [mixed is images and labels is targets for mixed, labels in outputs]
    assert np.mean(untouched) == pytest.approx(0.7, abs=0.04)


def test_the_same_generator_gives_the_same_blend_and_the_inputs_stay():
    images, targets = batch()
    first = Mixup(alpha=1.0, p=1.0).mix(images, targets, np.random.default_rng(5))
    second = Mixup(alpha=1.0, p=1.0).mix(images, targets, np.random.default_rng(5))
    assert first[0].equal(second[0])
    assert first[1].equal(second[1])
    assert images.equal(batch()[0])
    assert targets.equal(batch()[1])


def test_a_batch_of_one_is_refused():
    with pytest.raises(Problem, match=r"the batch has 1: set data.batch_size to 2 or more"):
        Mixup(alpha=1.0, p=1.0).mix(*batch(1), np.random.default_rng(0))


def test_it_is_an_augmentation_of_batches():
    assert isinstance(Mixup(alpha=1.0, p=1.0), Mix)
    assert not isinstance(Mixup(alpha=1.0, p=1.0), Augment)
