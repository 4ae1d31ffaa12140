# room: generators
"""The losses of BEGAN by formula, and the share that keeps the balance."""

import pytest
import torch

from imagelab.loss.equilibrium import Equilibrium

REAL, FAKE = torch.tensor([-0.5, -0.3]), torch.tensor([-0.2, -0.1])  # minus the errors: means 0.4 and 0.15
ONES, ZEROS = torch.ones(2), torch.zeros(2)


def test_losses_are_those_of_the_paper():
    loss = Equilibrium(ratio=0.5, rate=0.1)
    loss.share.fill_(0.3)
    found = loss.discriminator(REAL, ONES) + loss.discriminator(FAKE, ZEROS)
    assert float(found) == pytest.approx(0.4 - 0.3 * 0.15)
    assert float(loss.generator(FAKE)) == pytest.approx(0.15)


def test_the_share_moves_by_the_distance_from_the_balance_and_stays_between_0_and_1():
    loss = Equilibrium(ratio=0.5, rate=0.1)
    said = loss.settle(REAL.mean(), FAKE.mean())
    assert float(loss.share) == float(said["share"]) == pytest.approx(0.1 * (0.5 * 0.4 - 0.15))
    assert float(said["convergence"]) == pytest.approx(0.4 + abs(0.5 * 0.4 - 0.15))
    loss.settle(torch.tensor(0.0), torch.tensor(-100.0))
    assert float(loss.share) == 0
    loss.settle(torch.tensor(-100.0), torch.tensor(0.0))
    assert float(loss.share) == 1


def test_a_generator_that_is_drawn_too_well_makes_the_share_grow_until_it_is_not():
    """Errors of generated images that grow with the share settle where their ratio to real ones is 0.7."""
    loss = Equilibrium(ratio=0.7, rate=0.05)
    for _ in range(2000):
        loss.settle(torch.tensor(-0.4), -(0.1 + 0.5 * loss.share))
    assert 0.1 + 0.5 * float(loss.share) == pytest.approx(0.7 * 0.4, abs=1e-3)
