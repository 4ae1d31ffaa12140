import numpy as np
import pytest
import torch

from imagelab.augment.stretch import Stretch, stretched
from imagelab.augment.warp import Border
from imagelab.randomness import uniform
from tests.augment.pictures import assert_rounded, centroids, grain, keys, looked_up, spot


@pytest.mark.parametrize("border", ["reflect", "zero"])
def test_a_batch_equals_scaling_image_by_image(border: Border):
    images = grain(30, 3, 11, 14)
    draws = uniform(keys(30), "stretch", 2).double().numpy()
    expected = []
    for image, (first, second) in zip(images.numpy(), draws, strict=True):
        wide, tall = 0.5 + 1.5 * first, 0.8 + 0.4 * second
        expected.append(looked_up(image, lambda x, y: (x / wide, y / tall), border))  # noqa: B023
    stretch = Stretch(width=(0.5, 2.0), height=(0.8, 1.2), border=border)
    assert_rounded(stretch.batch(images, keys(30)), np.stack(expected))


def test_every_factor_between_the_two_is_as_likely_as_any_other_and_the_axes_differ():
    spots = spot(61, 61, 15, -15).repeat(3000, 1, 1, 1)
    x, y = centroids(Stretch(width=(0.5, 1.5), height=(0.8, 1.2), border="zero").batch(spots, keys(3000)))
    for factors, low, high in ((x / 15, 0.5, 1.5), (y / -15, 0.8, 1.2)):
        shares = torch.histc(factors, bins=5, min=low - 0.005, max=high + 0.005) / 3000
        assert shares.numpy() == pytest.approx(1 / 5, abs=0.04)
        assert (factors.min().item(), factors.max().item()) == pytest.approx((low, high), abs=0.01)
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.08


def test_a_gradient_gets_the_slope_of_the_factor():
    ramp = (10 * torch.arange(21)).byte().expand(1, 1, 21, 21)
    doubled = stretched(ramp, torch.tensor([2.0]), torch.tensor([1.0]), "zero")
    assert doubled[0, 0, 5].tolist() == list(range(50, 151, 5))
