from typing import Any

import numpy as np
import pytest
import torch

from imagelab.augment.noise import Noise, normal
from imagelab.randomness import uniform
from tests.augment.pictures import assert_rounded, grain, keys

GREY = torch.full((200, 3, 32, 32), 128, dtype=torch.uint8)


def test_a_batch_equals_adding_noise_image_by_image():
    images = grain(40, 3, 5, 7)
    strength = uniform(keys(40), "noise std", 1)[:, 0].double().numpy()
    draws = uniform(keys(40), "noise", 106).double().numpy()
    expected = []
    for image, share, (first, second) in zip(images.numpy(), strength, draws.reshape(40, 2, 53), strict=True):
        radius = np.sqrt(-2 * np.log(1 - first))
        noise = np.concatenate([radius * np.cos(2 * np.pi * second), radius * np.sin(2 * np.pi * second)])
        added = image + (5 + 10 * share) * noise[:105].reshape(image.shape)
        expected.append(added.clip(0, 255))
    assert_rounded(Noise(std=(5, 15)).batch(images, keys(40)), np.stack(expected))


@pytest.mark.parametrize("std", [1.0, 8.0, 25.0])
def test_noise_has_mean_zero_and_the_std_asked_for_and_is_normal(std: float):
    noise = Noise(std=(std, std)).batch(GREY, keys(200)).double() - 128
    wide = (std**2 + 1 / 12) ** 0.5  # rounding to grey levels adds its own
    assert noise.mean().item() == pytest.approx(0, abs=5 * std / noise.numel() ** 0.5)
    assert noise.std().item() == pytest.approx(wide, rel=0.01)
    assert (noise**4).mean().item() / wide**4 == pytest.approx(3, abs=0.08)


def test_every_pixel_and_channel_draws_for_itself():
    noise = Noise(std=(20, 20)).batch(GREY, keys(200)).double().numpy() - 128
    for one, other in (
        (noise[:, 0], noise[:, 1]),
        (noise[..., 1:], noise[..., :-1]),
        (noise[1:], noise[:-1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01


def test_the_strength_is_drawn_evenly_for_each_image():
    stds = Noise(std=(2, 12)).batch(GREY[:1].repeat(1500, 1, 1, 1), keys(1500)).double().std((1, 2, 3))
    shares = torch.histc(stds, bins=5, min=1.9, max=12.1) / 1500
    assert shares.numpy() == pytest.approx(1 / 5, abs=0.06)


def test_the_largest_and_the_smallest_draw_are_finite():
    ends = torch.tensor([[0.0, 1 - 2**-24, 0.0, 1 - 2**-24]])
    assert normal(ends).isfinite().all()
    assert normal(ends).abs().max().item() == pytest.approx((2 * 24 * np.log(2)) ** 0.5, rel=1e-3)


@pytest.mark.parametrize("std", [1.0, 3.0, 10.0])
def test_a_photo_gets_the_std_asked_for_too(std: float):
    transform: Any = Noise(std=(std, std)).transform(64)
    transform.set_random_seed(0)
    noise = transform(image=np.full((200, 200, 3), 128, np.uint8))["image"].astype(float) - 128
    assert noise.mean() == pytest.approx(0, abs=5 * std / noise.size**0.5)
    assert noise.std() == pytest.approx((std**2 + 1 / 12) ** 0.5, rel=0.02)


def test_white_and_black_do_not_wrap_around():
    for value in (0, 255):
        noisy = Noise(std=(10, 10)).batch(torch.full((4, 1, 16, 16), value, dtype=torch.uint8), keys(4))
        assert (noisy.int() - value).abs().max() < 60
