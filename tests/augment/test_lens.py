import numpy as np
import pytest
import torch

from imagelab.augment.lens import Lens, bent
from imagelab.augment.warp import Border
from imagelab.randomness import uniform
from tests.augment.pictures import assert_rounded, centroids, grain, keys, looked_up, spot


@pytest.mark.parametrize("border", ["reflect", "zero"])
def test_a_batch_equals_bending_image_by_image(border: Border):
    images = grain(30, 3, 11, 14)
    draws = uniform(keys(30), "lens", 1)[:, 0].double().numpy()
    corner = (11**2 + 14**2) / 4
    expected = []
    for image, draw in zip(images.numpy(), draws, strict=True):
        k = 0.3 * (2 * draw - 1)

        def source(x: np.ndarray, y: np.ndarray, k: float = k) -> tuple[np.ndarray, np.ndarray]:
            further = 1 + k * (x**2 + y**2) / corner
            return x * further, y * further

        expected.append(looked_up(image, source, border))
    assert_rounded(Lens(strength=0.3, border=border).batch(images, keys(30)), np.stack(expected))


def test_a_straight_line_bends_outwards_in_a_barrel_and_inwards_in_a_pincushion():
    lines = torch.zeros(3, 1, 65, 65, dtype=torch.uint8)
    lines[..., 51:54] = 255  # 20 pixels right of the centre
    bending = bent(lines, torch.tensor([0.3, 0.0, -0.3]), "zero")[:, 0].double()
    places = (bending * (torch.arange(65) - 32)).sum(2) / bending.sum(2)
    bulge = places[:, 32] - (places[:, 8] + places[:, 56]) / 2
    assert bulge[0] > 1
    assert bulge[1] == 0
    assert bulge[2] < -1
    # Where the line is found, the formula gives back where it was.
    for place, k in zip(places[:, 32].tolist(), (0.3, 0.0, -0.3), strict=True):
        assert place * (1 + k * place**2 / (65**2 / 2)) == pytest.approx(20, abs=0.1)


def test_every_coefficient_up_to_the_strength_is_as_likely_as_any_other():
    spots = spot(81, 81, 24, 18).repeat(2000, 1, 1, 1)
    x, y = centroids(Lens(strength=0.2, border="zero").batch(spots, keys(2000)))
    radius = (x**2 + y**2).sqrt()
    k = (30 / radius - 1) / (radius**2 / (81**2 / 2))
    shares = torch.histc(k, bins=5, min=-0.22, max=0.22) / 2000
    assert shares.numpy() == pytest.approx(1 / 5, abs=0.05)
    assert (k.min().item(), k.max().item()) == pytest.approx((-0.2, 0.2), abs=0.02)
