import numpy as np
import pytest
import torch

from imagelab.augment.shear import Shear, sheared
from imagelab.augment.warp import Border
from imagelab.randomness import uniform
from tests.augment.pictures import assert_rounded, centroids, grain, keys, looked_up, spot


@pytest.mark.parametrize("border", ["reflect", "zero"])
def test_a_batch_equals_slanting_image_by_image(border: Border):
    images = grain(30, 3, 11, 14)
    draws = 2 * uniform(keys(30), "shear", 2).double().numpy() - 1
    expected = []
    for image, (first, second) in zip(images.numpy(), draws, strict=True):
        lean, rise = np.tan(np.radians(30 * first)), np.tan(np.radians(20 * second))
        squeezed = 1 - lean * rise
        expected.append(
            looked_up(image, lambda x, y: ((x + lean * y) / squeezed, (rise * x + y) / squeezed), border)  # noqa: B023
        )
    shear = Shear(horizontal=30, vertical=20, border=border)
    assert_rounded(shear.batch(images, keys(30)), np.stack(expected))


def test_an_upright_line_leans_by_the_angle_and_a_level_one_stays():
    upright = torch.zeros(1, 1, 41, 41, dtype=torch.uint8)
    upright[..., 20] = 255
    leaning = sheared(upright, torch.tensor([30.0]), torch.tensor([0.0]), "zero")[0, 0].double()
    places = (leaning * torch.arange(41)).sum(1) / leaning.sum(1)
    rise = 20 - torch.arange(41)
    assert places.numpy() == pytest.approx(20 + rise * np.tan(np.radians(30)), abs=0.02)
    level = upright.mT
    assert sheared(level, torch.tensor([30.0]), torch.tensor([0.0]), "reflect").equal(level)


def test_every_angle_up_to_the_largest_is_as_likely_as_any_other():
    spots = spot(61, 61, 0, 15).repeat(3000, 1, 1, 1)
    x, y = centroids(Shear(horizontal=20, vertical=0, border="zero").batch(spots, keys(3000)))
    angles = torch.atan2(-x, y).rad2deg()
    shares = torch.histc(angles, bins=5, min=-20.1, max=20.1) / 3000
    assert shares.numpy() == pytest.approx(1 / 5, abs=0.04)
    assert (angles.min().item(), angles.max().item()) == pytest.approx((-20, 20), abs=0.3)
    assert y.numpy() == pytest.approx(15, abs=0.02)
