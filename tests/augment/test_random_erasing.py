from typing import Any

import numpy as np
import pytest
import torch

from imagelab.augment.apply import PhotoAugment, batch_steps
from imagelab.augment.random_erasing import RandomErasing
from imagelab.contracts import Augment
from imagelab.randomness import sample_keys, uniform

SCALE, RATIO = (0.02, 0.33), (0.3, 3.3)


def erasing(**changes: Any) -> RandomErasing:
    return RandomErasing(**{"p": 1.0, "scale": SCALE, "ratio": RATIO, "fill": "zero"} | changes)


def keys(count: int, epoch: int = 0) -> torch.Tensor:
    return sample_keys(1, epoch, torch.arange(count))


def reference(image: np.ndarray, key: torch.Tensor, p: float) -> np.ndarray:
    """One image after the other, try after try: algorithm 1 of the paper."""
    _, height, width = image.shape
    chance, down, right = uniform(key, "random_erasing", 3)[0].tolist()
    draws, image = uniform(key, "random_erasing sides", 20)[0].tolist(), image.copy()
    for share, shape in zip(draws[:10], draws[10:], strict=True):
        area = (SCALE[0] + share * (SCALE[1] - SCALE[0])) * height * width
        aspect = RATIO[0] * (RATIO[1] / RATIO[0]) ** shape
        tall, wide = max(1, round((area / aspect) ** 0.5)), max(1, round((area * aspect) ** 0.5))
        if tall <= height and wide <= width:
            top, left = int(down * (height - tall + 1)), int(right * (width - wide + 1))
            image[:, top : top + tall, left : left + wide] = (
                77 if chance < p else image[:, top : top + tall, left : left + wide]
            )
            break
    return image


def sides(count: int, **changes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Height and width of the rectangle in each of many white images of 100 x 100."""
    white = torch.full((count, 1, 100, 100), 255, dtype=torch.uint8)
    hole = (erasing(**changes).batch(white, keys(count)) == 0)[:, 0]
    tall, wide = hole.any(2).sum(1), hole.any(1).sum(1)
    assert hole.flatten(1).sum(1).equal(tall * wide), "it is one rectangle"
    return tall.numpy(), wide.numpy()


@pytest.mark.parametrize(("height", "width"), [(32, 32), (10, 40)])
def test_a_batch_equals_erasing_image_by_image(height: int, width: int):
    images = torch.randint(0, 256, (300, 3, height, width), dtype=torch.uint8)
    expected = [reference(images[i].numpy(), keys(300)[i : i + 1], 0.7) for i in range(300)]
    np.testing.assert_array_equal(erasing(p=0.7, fill=77).batch(images, keys(300)).numpy(), expected)


def test_the_area_is_even_and_the_aspect_even_on_a_log_scale():
    tall, wide = sides(4000, scale=(0.05, 0.2))
    area, aspect = tall * wide / 10_000, np.log(wide / tall)
    for found, low, high in [(area, 0.05, 0.2), (aspect, np.log(0.3), np.log(3.3))]:
        share = np.sort((found - low) / (high - low))
        distance = abs(share - np.linspace(0, 1, len(share))).max()
        assert distance < 1.63 / 4000**0.5 + 0.01  # Kolmogorov-Smirnov, 1%, and what whole pixels add


def test_what_does_not_fit_is_drawn_again_and_may_fit_never():
    tall, wide = sides(500, scale=(0.5, 0.9), ratio=(0.25, 4.0))
    assert (tall > 0).mean() > 0.95
    assert max(tall.max(), wide.max()) <= 100
    assert sides(20, scale=(0.9, 0.9), ratio=(3.0, 3.0))[0].tolist() == [0] * 20


def test_the_share_of_images_that_lose_a_rectangle_is_p():
    tall, _ = sides(4000, p=0.3)
    assert (tall > 0).mean() == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 4000) ** 0.5)


def test_noise_is_even_over_all_bytes_and_differs_between_pixels_channels_and_images():
    hidden = erasing(scale=(1.0, 1.0), ratio=(1.0, 1.0), fill="noise")
    noise = hidden.batch(torch.zeros(40, 3, 31, 31, dtype=torch.uint8), keys(40)).numpy()
    counts = np.bincount(noise.ravel(), minlength=256)
    expected = noise.size / 256
    assert ((counts - expected) ** 2 / expected).sum() < 330  # chi-squared of 255, 0.1%
    columns = [noise[:-1, 0], noise[:-1, 1], noise[1:, 0], np.roll(noise[:-1, 0], 1, axis=2)]
    alike = np.corrcoef([column.ravel() for column in columns]) - np.eye(4)
    assert abs(alike).max() < 0.03


def test_the_mean_is_the_colour_of_each_image_itself():
    images = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8)
    hidden = erasing(scale=(1.0, 1.0), ratio=(1.0, 1.0), fill="mean").batch(images, keys(8))
    expected = images.double().mean((2, 3)).round()
    torch.testing.assert_close(hidden.double().amax((2, 3)), expected)
    torch.testing.assert_close(hidden.double().amin((2, 3)), expected)


def test_the_same_epoch_repeats_and_the_next_differs():
    images = torch.ones(64, 1, 16, 16, dtype=torch.uint8)
    noisy = erasing(fill="noise")
    assert noisy.batch(images, keys(64)).equal(noisy.batch(images, keys(64)))
    assert not noisy.batch(images, keys(64)).equal(noisy.batch(images, keys(64, epoch=1)))


def test_photos_lose_rectangles_of_the_same_kind_as_batches():
    augment = PhotoAugment([erasing(p=0.6)], size=32)
    white = np.full((100, 100, 3), 255, np.uint8)
    lost = np.array([(augment(white, key) == 0).all(2).mean() for key in range(1500)])
    assert (lost > 0).mean() == pytest.approx(0.6, abs=0.05)
    tall, wide = sides(1500)
    assert lost[lost > 0].mean() == pytest.approx((tall * wide).mean() / 10_000, rel=0.05)


def test_an_image_keeps_its_rectangle_in_any_batch():
    images = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8)
    (step,) = batch_steps([erasing(fill="noise")])
    assert step(images, keys(20))[7:9].equal(step(images[7:9], keys(20)[7:9]))


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(erasing(), Augment)
