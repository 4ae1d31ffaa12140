"""Each loss of a generator and a discriminator by its formula, and where the generator learns."""

import pytest
import torch
from torch import sigmoid

from imagelab.loss.adversarial import Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein

SCORES = torch.tensor([-3.0, -0.5, 0.0, 0.7, 4.0])
ONES, ZEROS = torch.ones(5), torch.zeros(5)
D = sigmoid(SCORES)
FORMULAS = [
    (Minimax, -D.log(), -(1 - D).log(), (1 - D).log()),
    (NonSaturating, -D.log(), -(1 - D).log(), -D.log()),
    (LeastSquares, (SCORES - 1) ** 2 / 2, SCORES**2 / 2, (SCORES - 1) ** 2 / 2),
    (Hinge, (1 - SCORES).clamp_min(0), (1 + SCORES).clamp_min(0), -SCORES),
    (Wasserstein, -SCORES, SCORES, -SCORES),
]


@pytest.mark.parametrize(("kind", "real", "fake", "made"), FORMULAS)
def test_both_losses_are_those_of_the_paper(kind, real, fake, made):
    loss = kind()
    torch.testing.assert_close(loss.discriminator(SCORES, ONES), real.mean())
    torch.testing.assert_close(loss.discriminator(SCORES, ZEROS), fake.mean())
    torch.testing.assert_close(loss.generator(SCORES), made.mean())


@pytest.mark.parametrize("kind", [Minimax, NonSaturating, LeastSquares])
def test_soft_targets_are_best_met_by_scores_that_say_as_much(kind):
    scores = torch.tensor([0.0], requires_grad=True)
    target = torch.tensor([0.9])
    said = target if kind is LeastSquares else torch.logit(target)
    (slope,) = torch.autograd.grad(kind().discriminator(scores + said, target), scores)
    assert slope.abs() < 1e-6


def test_where_the_discriminator_is_sure_only_the_non_saturating_loss_still_teaches():
    slopes = {}
    for kind in (Minimax, NonSaturating):
        sure = torch.tensor([-8.0], requires_grad=True)
        (slope,) = torch.autograd.grad(kind().generator(sure), sure)
        slopes[kind] = -float(slope)
    assert slopes[Minimax] < 1e-3 < 0.99 < slopes[NonSaturating]
