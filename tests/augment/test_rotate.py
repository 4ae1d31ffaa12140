import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import rotate as torchvision_rotate

from imagelab.augment.rotate import Rotate, rotated
from imagelab.augment.warp import Border
from imagelab.randomness import uniform
from tests.augment.pictures import assert_rounded, centroids, grain, keys, looked_up, smooth, spot


@pytest.mark.parametrize("border", ["reflect", "zero"])
def test_a_batch_equals_turning_image_by_image(border: Border):
    images = grain(30, 3, 11, 14)
    draws = uniform(keys(30), "rotate", 1)[:, 0].double().numpy()
    expected = []
    for image, draw in zip(images.numpy(), draws, strict=True):
        angle = np.radians(60 * (2 * draw - 1))
        cos, sin = np.cos(angle), np.sin(angle)
        expected.append(looked_up(image, lambda x, y: (cos * x - sin * y, sin * x + cos * y), border))  # noqa: B023
    assert_rounded(Rotate(degrees=60, border=border).batch(images, keys(30)), np.stack(expected))


def test_it_turns_as_torchvision_does():
    images = torch.from_numpy(smooth(40, 50)).permute(2, 0, 1)[None].repeat(7, 1, 1, 1)
    angles = torch.tensor([-170.0, -45, -10, 5, 30, 90, 135])
    expected = [
        torchvision_rotate(image[None].float(), angle, InterpolationMode.BILINEAR)[0]
        for image, angle in zip(images, angles.tolist(), strict=True)
    ]
    assert_rounded(rotated(images, angles, "zero"), torch.stack(expected))


@pytest.mark.parametrize("border", ["reflect", "zero"])
@pytest.mark.parametrize("quarters", [-2, -1, 1, 2])
@pytest.mark.parametrize("side", [8, 33])
def test_quarter_turns_are_exact(quarters: int, side: int, border: Border):
    images = grain(4, 3, side, side)
    turned = rotated(images, torch.full((4,), 90.0 * quarters), border)
    assert turned.equal(torch.rot90(images, quarters, (-2, -1)))


def test_every_angle_up_to_the_largest_is_as_likely_as_any_other():
    spots = spot(41, 41, 14, 0).repeat(4000, 1, 1, 1)
    x, y = centroids(Rotate(degrees=40, border="zero").batch(spots, keys(4000)))
    angles = torch.atan2(-y, x).rad2deg()
    assert (angles.abs().max().item(), angles.mean().item()) == pytest.approx((40, 0), abs=1)
    shares = torch.histc(angles, bins=8, min=-40.1, max=40.1) / 4000
    assert shares.numpy() == pytest.approx(1 / 8, abs=5 * (1 / 8 / 4000) ** 0.5)


def test_a_mirrored_border_makes_no_new_grey_value_and_a_zero_border_is_black():
    white = torch.full((1, 1, 9, 9), 200, dtype=torch.uint8)
    turn = torch.tensor([45.0])
    assert rotated(white, turn, "reflect").unique().tolist() == [200]
    corners = rotated(white, turn, "zero")[0, 0, [0, 0, 8, 8], [0, 8, 0, 8]]
    assert corners.tolist() == [0] * 4
