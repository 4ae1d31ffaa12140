from typing import Any

import numpy as np
import pytest
import torch

from imagelab.augment.flip import Flip
from imagelab.contracts import Augment, Mix
from imagelab.randomness import sample_keys, uniform


def keys(count: int, epoch: int = 0) -> torch.Tensor:
    return sample_keys(1, epoch, torch.arange(count))


def noise(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def corner(size: int = 8) -> np.ndarray:
    photo = np.zeros((size, size, 3), np.uint8)
    photo[0, 0] = 255
    return photo


def test_the_left_end_of_a_row_comes_to_the_right():
    row = torch.arange(4, dtype=torch.uint8).view(1, 1, 1, 4)
    assert Flip(p=1.0).batch(row, keys(1)).flatten().tolist() == [3, 2, 1, 0]


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(Flip(p=0.5), Augment)
    assert not isinstance(Flip(p=0.5), Mix)


def test_a_batch_equals_flipping_image_by_image():
    images = noise(64, 3, 5, 7)
    mirrored = uniform(keys(64), "flip", 1)[:, 0].numpy() < 0.3
    expected = [
        image[:, :, ::-1] if yes else image for image, yes in zip(images.numpy(), mirrored, strict=True)
    ]
    assert 0 < mirrored.sum() < 64
    np.testing.assert_array_equal(Flip(p=0.3).batch(images, keys(64)).numpy(), np.stack(expected))


@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 1.0])
def test_the_share_of_mirrored_images_is_p(p: float):
    images = torch.zeros(20_000, 1, 1, 2, dtype=torch.uint8)
    images[..., 0] = 1
    share = Flip(p=p).batch(images, keys(20_000))[:, 0, 0, 1].float().mean().item()
    assert share == pytest.approx(p, abs=4 * (p * (1 - p) / 20_000) ** 0.5)


def test_the_same_epoch_repeats_and_the_next_differs():
    images = noise(64, 1, 4, 4)
    flip = Flip(p=0.5)
    assert flip.batch(images, keys(64)).equal(flip.batch(images, keys(64)))
    assert not flip.batch(images, keys(64)).equal(flip.batch(images, keys(64, epoch=1)))


def test_an_image_is_flipped_alike_whatever_else_is_in_its_batch():
    images = noise(64, 1, 4, 4)
    whole = Flip(p=0.5).batch(images, keys(64))
    assert whole[10:20].equal(Flip(p=0.5).batch(images[10:20], keys(64)[10:20]))


def test_a_photo_is_mirrored_left_right():
    transform: Any = Flip(p=1.0).transform(8)
    np.testing.assert_array_equal(transform.change_photo(corner(), 5), corner()[:, ::-1])


def test_the_share_of_mirrored_photos_is_p():
    photo = corner()
    transform: Any = Flip(p=0.25).transform(8)
    mirrored = [not np.array_equal(transform.change_photo(photo, seed), photo) for seed in range(2000)]
    assert np.mean(mirrored) == pytest.approx(0.25, abs=0.04)
