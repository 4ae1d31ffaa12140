import numpy as np
import pytest
import torch

from imagelab.augment.cutmix import CutMix
from imagelab.augment.mixup import Mixup
from imagelab.contracts import Mix
from imagelab.problem import Problem


def batch(count: int = 6, height: int = 12, width: int = 9) -> tuple[torch.Tensor, torch.Tensor]:
    """Image i has the value i everywhere, so that every pixel tells where it comes from."""
    values = torch.arange(count, dtype=torch.float32)
    return values.view(-1, 1, 1, 1).expand(-1, 3, height, width).clone(), torch.eye(count)


def test_the_share_of_a_label_is_its_area_to_the_pixel():
    for seed in range(200):
        mixed, labels = CutMix(alpha=1.0, p=1.0).mix(*batch(), np.random.default_rng(seed))
        counts = torch.stack([(mixed[:, 0] == image).flatten(1).sum(1) for image in range(6)], dim=1)
        torch.testing.assert_close(labels * 12 * 9, counts.float(), atol=1e-4, rtol=0)
        torch.testing.assert_close(labels.sum(1), torch.ones(6))


def test_what_is_pasted_is_one_rectangle_at_its_own_place_in_all_channels():
    images = torch.randn(4, 3, 16, 16)
    mixed, labels = CutMix(alpha=1.0, p=1.0).mix(images, torch.eye(4), np.random.default_rng(4))
    partner = (labels - torch.eye(4) * labels.diagonal()).argmax(1)
    pasted = (mixed != images).all(1)
    moved = partner[pasted.flatten(1).any(1)]
    assert len(moved) > 0
    for image in pasted.flatten(1).any(1).nonzero()[:, 0].tolist():
        rows, columns = pasted[image].any(1).nonzero()[:, 0], pasted[image].any(0).nonzero()[:, 0]
        assert pasted[image].sum().item() == len(rows) * len(columns)
        assert rows.diff().eq(1).all()
        assert columns.diff().eq(1).all()
        window = (slice(None), slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        assert mixed[image][window].equal(images[partner[image]][window])


def test_the_pasted_area_follows_the_beta_distribution_less_what_an_edge_cuts_off():
    rng, cutmix = np.random.default_rng(0), CutMix(alpha=1.0, p=1.0)
    images, targets = torch.zeros(2, 1, 48, 48), torch.eye(2)
    pasted = [1 - cutmix.mix(images, targets, rng)[1][0, 0].item() for _ in range(1500)]
    # Area c^2 of the image with c^2 uniform, centre uniform: each axis keeps c - c^2 / 4 of c on average.
    cut = np.sqrt(np.random.default_rng(1).random(200_000))
    # Half of the time an image is its own partner.
    assert np.mean(pasted) == pytest.approx(((cut - cut**2 / 4) ** 2).mean() / 2, abs=0.015)


def test_the_share_of_mixed_batches_is_p_and_the_others_stay_as_they_are():
    rng, (images, targets) = np.random.default_rng(0), batch()
    outputs = [CutMix(alpha=1.0, p=0.6).mix(images, targets, rng) for _ in range(2000)]
    assert np.mean([mixed is images for mixed, _ in outputs]) == pytest.approx(0.4, abs=0.04)


def test_the_same_generator_gives_the_same_mix_and_the_inputs_stay():
    images, targets = batch()
    first = CutMix(alpha=1.0, p=1.0).mix(images, targets, np.random.default_rng(5))
    second = CutMix(alpha=1.0, p=1.0).mix(images, targets, np.random.default_rng(5))
    assert first[0].equal(second[0])
    assert first[1].equal(second[1])
    assert images.equal(batch()[0])


def test_after_mixup_the_targets_still_sum_to_one():
    rng = np.random.default_rng(0)
    images, targets = Mixup(alpha=1.0, p=1.0).mix(*batch(), rng)
    _, targets = CutMix(alpha=1.0, p=1.0).mix(images, targets, rng)
    torch.testing.assert_close(targets.sum(1), torch.ones(6))
    assert targets.min().item() >= 0


def test_a_batch_of_one_is_refused():
    with pytest.raises(Problem, match=r"the batch has 1: set data.batch_size to 2 or more"):
        CutMix(alpha=1.0, p=1.0).mix(*batch(1), np.random.default_rng(0))


def test_it_is_an_augmentation_of_batches():
    assert isinstance(CutMix(alpha=1.0, p=1.0), Mix)
