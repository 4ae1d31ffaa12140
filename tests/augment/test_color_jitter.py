import colorsys

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from imagelab.augment.color_jitter import ColorJitter, shift_hue
from imagelab.contracts import Augment
from imagelab.randomness import sample_keys, uniform

NONE = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}


def keys(count: int, epoch: int = 0) -> torch.Tensor:
    return sample_keys(1, epoch, torch.arange(count))


def noise(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("hue", [0.0, 0.3])
def test_a_batch_equals_torchvision_image_by_image(hue: float):
    images = noise(60, 3, 6, 6)
    strengths = np.array([0.4, 0.6, 0.8, hue])
    draws = uniform(keys(60), "color_jitter", 8).numpy()
    changes = [
        reference.adjust_brightness,
        reference.adjust_contrast,
        reference.adjust_saturation,
        reference.adjust_hue,
    ]
    expected = []
    for image, draw in zip(images / 255, draws, strict=True):
        amounts = (2 * draw[:4] - 1) * strengths
        for which in np.argsort(draw[4:]):
            if which < 3 or hue > 0:
                image = changes[which](image, float(amounts[which] + (which < 3)))
        expected.append(image * 255)
    jitter = ColorJitter(brightness=0.4, contrast=0.6, saturation=0.8, hue=hue)
    jittered = jitter.batch(images, keys(60))
    assert jittered.dtype == torch.uint8
    torch.testing.assert_close(jittered.float(), torch.stack(expected), atol=0.51, rtol=0)


def test_the_four_changes_come_in_every_order_for_some_image():
    order = uniform(keys(500), "color_jitter", 8)[:, 4:].argsort(dim=1)
    assert len({tuple(row) for row in order.tolist()}) == 24


def test_no_strength_changes_nothing():
    images = noise(20, 3, 5, 5)
    assert ColorJitter(**NONE).batch(images, keys(20)).equal(images)


def test_brightness_factors_are_uniform_up_to_the_strength():
    images = torch.full((5000, 3, 1, 1), 100, dtype=torch.uint8)
    factor = ColorJitter(**NONE | {"brightness": 0.5}).batch(images, keys(5000))[:, 0].float() / 100
    assert (factor.min().item(), factor.max().item()) == (0.5, 1.5)
    assert factor.mean().item() == pytest.approx(1, abs=0.02)
    assert factor.std().item() == pytest.approx(1 / 12**0.5, abs=0.01)


def test_contrast_keeps_the_mean_and_scales_the_distance_from_it():
    images = torch.tensor([90, 110], dtype=torch.uint8).view(1, 1, 1, 2).expand(200, 3, 1, 2)
    changed = ColorJitter(**NONE | {"contrast": 0.5}).batch(images, keys(200)).float()
    assert changed.mean((1, 2, 3)).sub(100).abs().max().item() <= 0.5
    spread = changed[:, 0, 0, 1] - changed[:, 0, 0, 0]
    assert (spread.min().item(), spread.max().item()) == (10, 30)


def test_saturation_leaves_grey_alone_and_full_desaturation_makes_grey():
    grey = noise(50, 1, 4, 4).expand(-1, 3, -1, -1)
    jitter = ColorJitter(**NONE | {"saturation": 1.0})
    assert (jitter.batch(grey, keys(50)).int() - grey.int()).abs().max().item() <= 1
    red = torch.tensor([200, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(2000, -1, -1, -1)
    palest = jitter.batch(red, keys(2000)).flatten(1).int().diff(dim=1).abs().amax(1).min().item()
    assert palest <= 2


def test_turning_the_hue_equals_the_standard_library():
    colours = torch.rand(200, 3, 1, 1, generator=torch.Generator().manual_seed(0))
    turn = torch.linspace(-0.5, 0.5, 200)
    shifted = shift_hue(colours, turn)[:, :, 0, 0]
    for colour, by, got in zip(colours[:, :, 0, 0].tolist(), turn.tolist(), shifted.tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        assert got == pytest.approx(colorsys.hsv_to_rgb((hue + by) % 1, saturation, value), abs=1e-5)


def test_turning_the_hue_by_a_third_makes_green_of_red_and_leaves_grey():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(shift_hue(red, torch.tensor([1 / 3])).flatten(), torch.tensor([0.0, 1.0, 0.0]))
    grey = torch.full((1, 3, 1, 1), 0.4)
    torch.testing.assert_close(shift_hue(grey, torch.tensor([0.2])), grey)


def test_grey_images_change_in_brightness_and_contrast_only():
    images = noise(50, 1, 5, 5)
    assert ColorJitter(**NONE | {"saturation": 1.0, "hue": 0.5}).batch(images, keys(50)).equal(images)
    assert not ColorJitter(**NONE | {"brightness": 0.5}).batch(images, keys(50)).equal(images)


def test_the_same_epoch_repeats_and_the_next_differs():
    images = noise(64, 3, 4, 4)
    jitter = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    assert jitter.batch(images, keys(64)).equal(jitter.batch(images, keys(64)))
    assert not jitter.batch(images, keys(64)).equal(jitter.batch(images, keys(64, epoch=1)))


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(ColorJitter(**NONE), Augment)
