import random

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from imagelab.augment.color_jitter import ColorJitter
from imagelab.augment.photo_jitter import BRIGHTNESS, CONTRAST, HUE, SATURATION, PhotoJitter, blended, turned
from imagelab.contracts import PhotoChange

REFERENCE = {
    BRIGHTNESS: reference.adjust_brightness,
    CONTRAST: reference.adjust_contrast,
    SATURATION: reference.adjust_saturation,
    HUE: reference.adjust_hue,
}
NONE = (0.0, 0.0, 0.0, 0.0)


def colours() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def expected(photo: np.ndarray, which: int, amount: float) -> np.ndarray:
    """What torchvision makes of a photo, as floats, so without its rounding down."""
    changed = REFERENCE[which](torch.from_numpy(photo).permute(2, 0, 1) / 255, amount)
    return (255 * changed).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("which", [BRIGHTNESS, CONTRAST, SATURATION])
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4, 2.0])
def test_a_blended_photo_equals_torchvisions_to_one_grey_level(which: int, factor: float):
    photo = colours()
    difference = np.abs(blended(photo, which, factor) - expected(photo, which, factor))
    assert difference.max() <= 1
    assert difference.mean() <= 0.5  # 0.25 by rounding alone, unless all pixels are rounded alike


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.03, 0.5])
def test_a_turned_photo_equals_torchvisions_as_far_as_256_hues_can(turn: float):
    photo = colours()
    turn = round(256 * turn) / 256
    difference = np.abs(turned(photo, turn) - expected(photo, HUE, turn))
    assert difference.mean() <= 0.7
    assert difference.max() <= 255 * 6 / 256 / 2 + 8  # half a step of the hue, and saturation in 8 bits
    np.testing.assert_array_equal(turned(photo, turn).max(axis=2), photo.max(axis=2))  # the value stays


def test_all_four_changes_come_in_the_order_that_was_drawn():
    strengths = (0.4, 0.4, 0.4, 0.1)
    photo = colours() // 2 + 64
    differences, orders = [], set()
    for seed in range(120):
        rng = random.Random(seed)
        amounts = [rng.uniform(-most, most) for most in strengths]
        order = list(range(4))
        rng.shuffle(order)
        orders.add(tuple(order))
        wanted = photo
        for which in order:
            wanted = expected(np.rint(wanted).astype(np.uint8), which, amounts[which] + (which != HUE))
        differences.append(np.abs(PhotoJitter(strengths=strengths).change_photo(photo, seed) - wanted).mean())
    assert max(differences) < 2.5
    assert len(orders) == 24


def test_brightness_factors_are_uniform_up_to_the_strength():
    jitter = PhotoJitter(strengths=(0.5, 0, 0, 0))
    photo = np.full((2, 2, 3), 100, np.uint8)
    factors = np.array([jitter.change_photo(photo, seed).mean() for seed in range(2000)]) / 100
    assert factors.min() == pytest.approx(0.5, abs=0.01)
    assert factors.max() == pytest.approx(1.5, abs=0.01)
    assert factors.mean() == pytest.approx(1, abs=0.03)
    assert factors.std() == pytest.approx(1 / 12**0.5, abs=0.01)


def test_no_strength_changes_nothing_and_grey_photos_keep_their_colour():
    photo = colours()
    assert PhotoJitter(strengths=NONE).change_photo(photo, 3) is photo
    grey = photo[:, :, :1]
    assert PhotoJitter(strengths=(0, 0, 1.0, 0.5)).change_photo(grey, 3) is grey
    brighter = PhotoJitter(strengths=(0.5, 0.5, 1.0, 0.5)).change_photo(grey, 3)
    assert brighter.shape == grey.shape
    assert not np.array_equal(brighter, grey)


def test_color_jitter_hands_over_its_strengths():
    transform = ColorJitter(brightness=0.1, contrast=0.2, saturation=0.3, hue=0.4).transform(8)
    assert isinstance(transform, PhotoJitter)
    assert isinstance(transform, PhotoChange)
    assert transform.strengths == (0.1, 0.2, 0.3, 0.4)
