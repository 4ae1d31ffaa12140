from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.augment.crop import Crop
from imagelab.contracts import Augment
from imagelab.problem import Problem
from imagelab.randomness import sample_keys, uniform


def keys(count: int, epoch: int = 0) -> torch.Tensor:
    return sample_keys(1, epoch, torch.arange(count))


def noise(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def crop(pad: float = 4, border: Any = "reflect", **changes: Any) -> Crop:
    settings = {"size": None, "scale": (0.08, 1.0), "ratio": (0.75, 1.3333), "overlaps": [0.5]} | changes
    return Crop(pad=pad, border=border, **settings)


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("size", [None, 9, 15])
def test_a_batch_equals_padding_and_cropping_image_by_image(border: str, size: int | None):
    images = noise(100, 3, 10, 12)
    draws = uniform(keys(100), "crop", 2).numpy()
    height, width = size or 10, size or 12
    mode: Any = {"reflect": "reflect", "zero": "constant"}[border]
    expected = []
    for image, (down, right) in zip(images.numpy(), draws, strict=True):
        padded = np.pad(image, [(0, 0), (3, 3), (3, 3)], mode=mode)
        top, left = int(down * (10 + 6 - height + 1)), int(right * (12 + 6 - width + 1))
        expected.append(padded[:, top : top + height, left : left + width])
    np.testing.assert_array_equal(
        crop(3, border, size=size).batch(images, keys(100)).numpy(), np.stack(expected)
    )


def test_every_shift_up_to_the_padding_is_as_likely_as_any_other():
    images = torch.zeros(40_500, 1, 8, 8, dtype=torch.uint8)
    images[:, :, 4, 3] = 1
    cropped = crop(4, "zero").batch(images, keys(40_500))
    places = cropped.flatten(1).argmax(1)[cropped.flatten(1).amax(1) == 1]
    counts = torch.bincount(places, minlength=64)
    # 81 equally likely shifts; the pixel stays in the image in 64 of them.
    assert counts.sum().item() == pytest.approx(40_500 * 64 / 81, rel=0.02)
    assert counts.min().item() > 500 - 5 * 500**0.5
    assert counts.max().item() < 500 + 5 * 500**0.5


def test_a_share_pads_by_that_share_of_each_side():
    images = noise(50, 1, 16, 32)
    whole = crop(4).batch(images[..., :16], keys(50))
    assert crop(0.25).batch(images[..., :16], keys(50)).equal(whole)
    line = torch.zeros(200, 1, 16, 32, dtype=torch.uint8)
    line[:, :, 8, 16] = 1
    found = crop(0.125, "zero").batch(line, keys(200)).nonzero()
    assert (found[:, 2].min().item(), found[:, 2].max().item()) == (6, 10)
    assert (found[:, 3].min().item(), found[:, 3].max().item()) == (12, 20)


def test_without_padding_the_image_stays_as_it_is():
    images = noise(10, 3, 8, 8)
    assert crop(0).batch(images, keys(10)).equal(images)


def test_a_mirrored_border_makes_no_new_grey_value_and_a_zero_border_is_black():
    images = noise(100, 1, 8, 8) // 2 + 100
    assert crop(3, "reflect").batch(images, keys(100)).min().item() >= 100
    assert crop(3, "zero").batch(images, keys(100)).min().item() == 0


def test_the_same_epoch_repeats_and_the_next_differs():
    images = noise(64, 1, 12, 12)
    assert crop().batch(images, keys(64)).equal(crop().batch(images, keys(64)))
    assert not crop().batch(images, keys(64)).equal(crop().batch(images, keys(64, epoch=1)))


def test_an_image_is_cropped_alike_whatever_else_is_in_its_batch():
    images = noise(64, 1, 12, 12)
    assert crop().batch(images, keys(64))[10:20].equal(crop().batch(images[10:20], keys(64)[10:20]))


def test_a_window_larger_than_the_image_is_one_clear_sentence():
    assert crop(4, size=40).fits(32) is None
    sentence = crop(4, size=41).fits(32)
    assert sentence is not None
    assert "augment.crop.size=41 is larger than the image: 32 pixels and 4 of padding" in sentence
    with pytest.raises(Problem, match="larger than the image"):
        crop(4, size=41).batch(noise(2, 3, 32, 32), keys(2))


def test_a_mirrored_border_as_large_as_the_image_is_refused_and_a_black_one_is_not():
    sentence = crop(8).fits(8)
    assert sentence is not None
    assert "augment.crop.border=zero" in sentence
    assert crop(7).fits(8) is None
    assert crop(8, "zero").fits(8) is None


WHOLE = crop(scale=(1.0, 1.0), ratio=(1.0, 1.0))


def cut(cropped: Crop, size: int, photo: np.ndarray, seed: int = 0) -> np.ndarray:
    transform: Any = cropped.transform(size)
    return transform.cut(photo, seed)


def test_a_photo_of_any_shape_comes_out_as_a_square_of_the_input_size():
    for shape in [(100, 60, 3), (24, 24, 3), (10, 90, 3)]:
        assert cut(crop(), 24, np.zeros(shape, np.uint8)).shape == (24, 24, 3)
    assert cut(crop(size=16), 24, np.zeros((50, 50, 3), np.uint8)).shape == (16, 16, 3)


def test_the_window_of_a_photo_has_the_area_and_the_aspect_of_its_settings():
    rows, columns = np.mgrid[0:200, 0:200].astype(np.uint8)
    photo = np.dstack([rows, columns, np.zeros_like(rows)])
    wide = crop(scale=(0.2, 0.4), ratio=(0.5, 2.0))
    windows = np.array([np.ptp(cut(wide, 50, photo, seed), axis=(0, 1))[:2] for seed in range(300)]) + 2.0
    area, aspect = windows.prod(1) / 200**2, windows[:, 1] / windows[:, 0]
    assert (area > 0.2 * 0.9).all()
    assert (area < 0.4 * 1.1).all()
    assert area.mean() == pytest.approx(0.3, abs=0.02)
    assert aspect.min() == pytest.approx(0.5, rel=0.1)
    assert aspect.max() == pytest.approx(2.0, rel=0.1)
    assert np.exp(np.log(aspect).mean()) == pytest.approx(1, abs=0.12)


def test_one_pixel_lines_shrink_to_their_mean_and_do_not_alias():
    lines = np.zeros((256, 256, 3), np.uint8)
    lines[:, ::2] = 255
    np.testing.assert_allclose(cut(WHOLE, 64, lines)[:, 1:-1], 127.5, atol=1)


@pytest.mark.parametrize("side", [40, 64, 100, 300])
def test_a_photo_is_resized_as_pillow_does_it(side: int):
    photo = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BILINEAR))
    found = cut(WHOLE, 64, photo)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert found.flags.c_contiguous


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(crop(), Augment)
