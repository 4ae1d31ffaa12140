"""Each loss of a generator and a discriminator by its formula, and where the generator learns."""

import pytest
import torch
from torch import sigmoid

from imagelab.loss.adversarial import Hinge, LeastSquares, Minimax, NonSaturating, Wasserstein
from imagelab.task.gan import Gan

GAN = {"classes": ["a"], "in_channels": 1, "size": 8, "discriminator_steps": 1, "generator_rate": 1.0}
GAN |= {"smooth_real": 0.0, "smooth_fake": 0.0, "flip_labels": False, "flip_share": 0.0}
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


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("kind", [row[0] for row in FORMULAS])
def test_the_generator_pulls_scores_where_the_discriminator_pushes_those_of_real_images(kind, flipped):
    """Also where targets change places: real images count as 0 and generated ones as 1."""
    task = Gan(loss=kind(), **GAN | {"flip_labels": flipped})
    slopes = []
    for loss in (
        lambda scores: task.loss_of_discriminator(torch.zeros(1), scores),
        lambda scores: task.loss_of_generator(scores),
        lambda scores: task.loss_of_discriminator(scores, torch.zeros(1)),
    ):
        scores = torch.tensor([0.3], requires_grad=True)
        slopes.append(float(torch.autograd.grad(loss(scores), scores)[0].sign()))
    assert slopes == ([-1, 1, 1] if flipped else [1, -1, -1])
    assert (
        float(task.realness(torch.tensor(2.0)))
        == {False: 2, True: -1 if kind is LeastSquares else -2}[flipped]
    )


@pytest.mark.parametrize("kind", [row[0] for row in FORMULAS])
def test_places_that_change_leave_the_game_as_it_was(kind):
    plain, flipped = (Gan(loss=kind(), **GAN | {"flip_labels": flip}) for flip in (False, True))
    real, fake = SCORES, SCORES.flip(0)
    turned = [flipped.realness(scores) for scores in (real, fake)]
    torch.testing.assert_close(
        flipped.loss_of_discriminator(*turned), plain.loss_of_discriminator(real, fake)
    )
    torch.testing.assert_close(flipped.loss_of_generator(turned[1]), plain.loss_of_generator(fake))
