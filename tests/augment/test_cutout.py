from typing import Any

import numpy as np
import pytest
import torch

from imagelab.augment.cutout import Cutout
from imagelab.contracts import Augment
from imagelab.problem import Problem
from imagelab.randomness import sample_keys, uniform


def keys(count: int, epoch: int = 0) -> torch.Tensor:
    return sample_keys(1, epoch, torch.arange(count))


def test_a_batch_equals_painting_image_by_image():
    images = torch.randint(0, 256, (200, 3, 10, 14), dtype=torch.uint8)
    draws = uniform(keys(200), "cutout", 3).numpy()
    expected = images.numpy().copy()
    for image, (down, right, chance) in zip(expected, draws, strict=True):
        top, left = int(down * (10 - 4 + 1)), int(right * (14 - 4 + 1))
        if chance < 0.7:
            image[:, top : top + 4, left : left + 4] = 99
    np.testing.assert_array_equal(Cutout(size=4, p=0.7, fill=99).batch(images, keys(200)).numpy(), expected)


@pytest.mark.parametrize(("size", "area"), [(5, 25), (0.25, 64), (0.5, 256), (0, 0)])
def test_every_image_loses_exactly_the_square(size: float, area: int):
    images = torch.full((500, 1, 32, 32), 200, dtype=torch.uint8)
    lost = (Cutout(size=size, p=1.0, fill=7).batch(images, keys(500)) == 7).flatten(1).sum(1)
    assert lost.tolist() == [area] * 500


def test_the_share_of_images_with_a_hole_is_p():
    images = torch.ones(20_000, 1, 4, 4, dtype=torch.uint8)
    holes = Cutout(size=2, p=0.3, fill=0).batch(images, keys(20_000)).flatten(1).amin(1) == 0
    assert holes.float().mean().item() == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 20_000) ** 0.5)


def test_the_square_is_anywhere_with_the_same_chance():
    images = torch.ones(36_000, 1, 8, 8, dtype=torch.uint8)
    covered = (Cutout(size=3, p=1.0, fill=0).batch(images, keys(36_000)) == 0).float().mean(0)[0]
    chance = torch.tensor([1, 2, 3, 3, 3, 3, 2, 1]) / 6
    torch.testing.assert_close(covered, chance[:, None] * chance[None], atol=0.012, rtol=0)


def test_the_same_epoch_repeats_and_the_next_differs():
    images = torch.ones(64, 1, 16, 16, dtype=torch.uint8)
    cutout = Cutout(size=4, p=1.0, fill=0)
    assert cutout.batch(images, keys(64)).equal(cutout.batch(images, keys(64)))
    assert not cutout.batch(images, keys(64)).equal(cutout.batch(images, keys(64, epoch=1)))


@pytest.mark.parametrize("size", [8, 0.25])
def test_a_photo_loses_exactly_the_square(size: float):
    transform: Any = Cutout(size=size, p=1.0, fill=128).transform(32)
    transform.set_random_seed(0)
    for _ in range(50):
        hole = (transform(image=np.zeros((32, 32, 3), np.uint8))["image"] == 128).all(axis=2)
        rows, columns = np.nonzero(hole)
        assert (np.ptp(rows), np.ptp(columns), hole.sum()) == (7, 7, 64)


def test_a_square_without_room_is_one_clear_sentence():
    cutout = Cutout(size=32, p=1.0, fill=0)
    assert cutout.fits(33) is None
    sentence = cutout.fits(32)
    assert sentence is not None
    assert "augment.cutout.size=32 pixels hides all of an image of 32" in sentence
    with pytest.raises(Problem, match="hides all"):
        cutout.batch(torch.zeros(1, 1, 32, 32, dtype=torch.uint8), keys(1))


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(Cutout(size=4, p=1.0, fill=0), Augment)
