# room: generators
"""Does training move a generator and a discriminator, and does each learn while the other stands still?"""

from collections.abc import Callable
from typing import Any

import torch

from imagelab.checks.findings import NAMED, found, left_out
from imagelab.checks.pair import Played, losses, play, remedy, without_gradient
from imagelab.checks.subject import Subject
from imagelab.checks.trial import train
from imagelab.config.facts import says
from imagelab.finding import Finding, grade

ALL = "give the optimizer of each network all of its weights, and a rate above 0"
STEPS, IMAGES = 60, 32  # of each network alone


def both_move(subject: Subject) -> Finding:
    """A step of training changes every tensor of both networks."""
    module: Any = subject.plain()
    own = zip(("discriminator", "generator"), losses(play(subject, module)), strict=True)
    cancelled = [name for network, loss in own for name in without_gradient(module.pair, network, loss)]
    before = {name: one.detach().clone() for name, one in module.pair.named_parameters()}
    batch = subject.some(IMAGES)
    train(subject, module, [batch] * 2 * module.gan.discriminator_steps)
    after = {name: one.detach() for name, one in module.pair.named_parameters() if name not in cancelled}
    still = [name for name, one in after.items() if torch.equal(one, before[name])]
    return found(
        grade(fail=still),
        f"{len(after) - len(still)} of {len(after)} tensors",
        expected="all that have a gradient, in two steps of each network",
        **remedy((bool(still), f"these stay as they were: {', '.join(still[:NAMED])}", ALL)),
    )


def tells(subject: Subject) -> Finding:
    """Alone, the discriminator learns to score real images above those of an untrained generator."""
    errors = says(subject.cfg["model"]).scores_are_errors  # of which it learns to lower those of real images

    def apart(game: Played) -> list[float]:
        return [float(game.real_scores.mean() - (0 if errors else game.fake_scores.mean()))]

    return _alone(
        subject,
        "discriminator",
        apart,
        "scores of real images rise above those of generated ones",
        "it does not learn to tell them apart: targets or the sign of its loss may be swapped, or its rate "
        "is too low",
    )


def follows(subject: Subject) -> Finding:
    """Alone, the generator learns to raise the scores of its images, or to meet the target of real ones."""

    def liked(game: Played) -> list[float]:
        task = game.module.gan.eval()
        scores = game.fake_scores
        as_real = task.criterion.discriminator(
            task.realness(scores), torch.full_like(scores, task.target_real)
        )
        return [float(scores.mean()), -float(as_real)]

    return _alone(
        subject,
        "generator",
        liked,
        "scores of generated images rise, or approach the target of real ones",
        "it does not learn to raise them: the sign of its loss may be swapped, or its rate is too low",
    )


def _alone(
    subject: Subject, network: str, measure: Callable[[Played], list[float]], expected: str, wrong: str
) -> Finding:
    """Train one network against the other, which stays as it is; one of its measures must rise."""
    module: Any = subject.plain()
    steps = STEPS * (module.gan.discriminator_steps if network == "generator" else 1)
    if subject.afford(IMAGES) < steps:
        return left_out(subject, steps, IMAGES)
    other = "generator" if network == "discriminator" else "discriminator"
    for group in module.groups:
        group["lr"] *= not group["name"].startswith(other)
    before = _measured(subject, module, measure)
    train(subject, module, [subject.some(IMAGES)] * steps)
    after = _measured(subject, module, measure)
    rises = any(one > other for one, other in zip(after, before, strict=True))
    return found(
        grade(fail=not rises),
        f"{before[0]:.3g} to {after[0]:.3g} after {steps} steps",
        expected=expected,
        **remedy((not rises, wrong, "check the losses of the task, and optimizer.lr")),
    )


def _measured(subject: Subject, module: Any, measure: Callable[[Played], list[float]]) -> list[float]:
    with torch.no_grad():
        return measure(play(subject, module.train()))
