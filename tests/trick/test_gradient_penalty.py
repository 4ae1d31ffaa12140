"""Terms that bound a critic's slope, for critics whose slopes are known."""

import pytest
import torch

from imagelab.trick.gradient_penalty import R1, GradientPenalty, slopes_of

REAL, FAKE = torch.randn(6, 1, 2, 2), torch.randn(6, 1, 2, 2)


def linear(images: torch.Tensor) -> torch.Tensor:
    return 3 * images.flatten(1)[:, 0] + 4 * images.flatten(1)[:, 3]  # slope 5


def squared(images: torch.Tensor) -> torch.Tensor:
    return images.square().flatten(1).sum(dim=1)  # slope 2 x


def test_the_penalty_is_the_squared_distance_of_the_slope_from_one():
    assert float(GradientPenalty(strength=10, every=1).critic_penalty(linear, REAL, FAKE)) == pytest.approx(
        160
    )
    assert float(R1(strength=2, every=1).critic_penalty(linear, REAL, FAKE)) == pytest.approx(25)


def test_r1_looks_at_real_images_and_the_gradient_penalty_between_both():
    found = float(R1(strength=1, every=1).critic_penalty(squared, REAL, FAKE))
    assert found == pytest.approx(float(2 * REAL.square().flatten(1).sum(dim=1).mean()), rel=1e-5)
    seen = []
    GradientPenalty(strength=1, every=1).critic_penalty(lambda x: (seen.append(x), squared(x))[1], REAL, FAKE)
    share = (seen[0] - REAL) / (FAKE - REAL)
    torch.testing.assert_close(share, share[:, :, :1, :1].expand_as(share), rtol=1e-3, atol=1e-3)
    assert 0 <= float(share.min()) < float(share.max()) <= 1


def test_the_term_reaches_the_weights_of_the_critic():
    weight = torch.tensor(2.0, requires_grad=True)
    term = R1(strength=1, every=1).critic_penalty(lambda x: weight * x.flatten(1).sum(dim=1), REAL, FAKE)
    term.backward()
    assert float(weight.grad) == pytest.approx(4 * 2)  # d/dw of w^2 * 4 pixels / 2


def test_slopes_are_whole_numbers_of_float32_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert slopes_of(linear, REAL).dtype == torch.float32
