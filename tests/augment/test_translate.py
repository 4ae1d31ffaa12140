from typing import Any

import numpy as np
import pytest
import torch

from imagelab.augment.translate import Translate
from imagelab.augment.warp import Border
from imagelab.randomness import uniform
from tests.augment.pictures import grain, keys


@pytest.mark.parametrize("border", ["reflect", "zero"])
def test_a_batch_equals_padding_and_cutting_image_by_image(border: Border):
    images = grain(100, 3, 10, 14)
    draws = 2 * uniform(keys(100), "translate", 2).numpy() - 1
    mode: Any = {"reflect": "reflect", "zero": "constant"}[border]
    expected = []
    for image, (right, down) in zip(images.numpy(), draws, strict=True):
        padded = np.pad(image, [(0, 0), (9, 9), (9, 9)], mode=mode)
        top, left = 9 - round(down * 0.3 * 10), 9 - round(right * 0.5 * 14)
        expected.append(padded[:, top : top + 10, left : left + 14])
    shifted = Translate(horizontal=0.5, vertical=0.3, border=border).batch(images, keys(100))
    np.testing.assert_array_equal(shifted.numpy(), np.stack(expected))


def test_a_pixel_goes_up_to_its_share_to_every_side_alike():
    images = torch.zeros(20_000, 1, 33, 33, dtype=torch.uint8)
    images[:, :, 16, 16] = 255
    moved = Translate(horizontal=4 / 33, vertical=2 / 33, border="zero").batch(images, keys(20_000))
    _, _, row, column = moved.nonzero().unbind(1)
    assert len(row) == 20_000, "one pixel stays one pixel: nothing is blurred"
    across = torch.bincount(column - 12, minlength=9) / 20_000
    along = torch.bincount(row - 14, minlength=5) / 20_000
    # Rounded to whole pixels, the two ends get half as many.
    assert across.numpy() == pytest.approx(np.array([1, 2, 2, 2, 2, 2, 2, 2, 1]) / 16, abs=0.012)
    assert along.numpy() == pytest.approx(np.array([1, 2, 2, 2, 1]) / 8, abs=0.016)


def test_a_bright_pixel_of_a_photo_goes_up_to_its_share_too():
    transform: Any = Translate(horizontal=0.2, vertical=0.1, border="zero").transform(64)
    transform.set_random_seed(0)
    photo = np.zeros((101, 201, 3), np.uint8)
    photo[50, 100] = 255
    places = np.array(
        [np.argwhere(transform(image=photo)["image"][:, :, 0])[0] - (50, 100) for _ in range(400)]
    )
    assert np.abs(places).max(axis=0) == pytest.approx((10, 40), abs=1)
    assert places.mean(axis=0) == pytest.approx((0, 0), abs=4)
