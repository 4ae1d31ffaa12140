import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from imagelab.augment.apply import PhotoAugment
from imagelab.augment.randaugment import RandAugment
from imagelab.contracts import Augment
from imagelab.randomness import sample_keys, uniform
from tests.augment.test_changes import pictures, theirs


def keys(count: int, epoch: int = 0) -> torch.Tensor:
    return sample_keys(1, epoch, torch.arange(count))


@pytest.mark.parametrize(("num_ops", "magnitude"), [(1, 9), (2, 9), (3, 25)])
def test_a_batch_equals_torchvisions_changes_image_by_image(num_ops: int, magnitude: int):
    images = pictures(150, 3)
    found = RandAugment(num_ops=num_ops, magnitude=magnitude).batch(images, keys(150))
    draws = uniform(keys(150), "randaugment", 2 * num_ops).view(150, num_ops, 2)
    equal = []
    for image, mine, turns in zip(images, found, draws.tolist(), strict=True):
        for which, direction in turns:
            image = theirs("randaugment", image, int(which * 14), magnitude, -1 if direction < 0.5 else 1)
        equal.append(((image.int() - mine.int()).abs() <= 2).float().mean().item())
    assert np.mean(equal) > 0.999  # a rounding in the first change may be seen in the next


def test_the_strongest_changes_more_than_the_weakest():
    images = pictures(300, 3)
    away = [
        (RandAugment(num_ops=2, magnitude=m).batch(images, keys(300)).float() - images).abs().mean().item()
        for m in (0, 9, 30)
    ]
    assert away[0] < away[1] < away[2]


def test_the_same_epoch_repeats_and_the_next_differs():
    images, augment = pictures(32, 3), RandAugment(num_ops=2, magnitude=9)
    assert augment.batch(images, keys(32)).equal(augment.batch(images, keys(32)))
    assert not augment.batch(images, keys(32)).equal(augment.batch(images, keys(32, epoch=1)))


def test_a_photo_gets_torchvisions_with_the_same_settings():
    transform = RandAugment(num_ops=3, magnitude=12).transform(32)
    assert isinstance(transform, v2.RandAugment)
    assert (transform.num_ops, transform.magnitude, transform.num_magnitude_bins) == (3, 12, 31)
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    augment = PhotoAugment([RandAugment(num_ops=3, magnitude=12)], size=32)
    assert len({augment(photo, key).tobytes() for key in range(40)}) > 35


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(RandAugment(num_ops=2, magnitude=9), Augment)
