"""Can the network overfit a few images? If so, images, loss, gradients and steps work together.

Source: Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/, "overfit one batch".
"""

import math

import torch

from imagelab.checks.chance import levels
from imagelab.checks.findings import NO_CLASSES, fact, found, left_out
from imagelab.checks.subject import Subject, cut
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.contracts import Inputs
from imagelab.finding import Finding
from imagelab.transfer import TransferClassifier

IMAGES, FEWEST = 16, 4
STEPS, LONGEST, SHORTEST = 200, 500, 40
LEARNT, STUCK = 0.05, 0.3  # loss above the lowest possible one, as a share of what there is to learn
HIGHER = (1e2, 1e4, 1e5)  # factors on a rate at which nothing is learnt
FALLING = 0.9  # the loss still falls if it is below this share of the loss a quarter of the steps earlier
WARMUP = 20


def one_batch(subject: Subject) -> Finding:
    """The loss on a few fixed images, without regularisation, falls to about 0."""
    if subject.task is None:
        return fact(None, f"{NO_CLASSES}: there is no loss of 0 to reach")
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    count = _images(subject)
    most = min(LONGEST, subject.afford(count))
    if most < SHORTEST:
        return left_out(subject, SHORTEST, count)
    batch = cut(subject.unchanged, count)
    level = levels(subject)
    losses = _learn(subject, batch, min(STEPS, most))
    if end_of(losses) > level.at(LEARNT) and _falls(losses) and most > STEPS:
        losses = _learn(subject, batch, most)
    subject.pictures["overfit"] = losses
    return _verdict(subject, losses, batch)


def _learn(subject: Subject, batch: Inputs, steps: int, rate: float = 1.0) -> list[float]:
    until = levels(subject).at(0.6 * LEARNT)
    return train(subject, subject.calm(), [batch] * steps, warmup=WARMUP, until=until, rate=rate)


def _verdict(subject: Subject, losses: list[float], batch: Inputs) -> Finding:
    level = levels(subject)
    end = end_of(losses)
    count = len(batch.labels)
    expected = f"below {level.at(LEARNT):.3g} within {LONGEST} steps; FAIL above {level.at(STUCK):.3g}"
    value = f"{end:.4g} after {len(losses)} steps on {count} images"
    if end <= level.at(LEARNT):
        return found(
            "OK", value, expected=expected, why="images, labels, loss, gradients and steps work together"
        )
    slowly = _slowly(subject, losses)
    if slowly is None and math.isfinite(end):
        slowly = _low_rate(subject, losses, batch)
    if slowly is not None:
        fix = (
            "try a higher optimizer.lr"
            "; `imagelab find_lr` suggests one"  # room: finders
        )
        return found("WARN", value, expected=expected, why=slowly, fix=fix)
    why = "the network cannot overfit a few images"
    fix = "go through the checks above; then try ten times and a tenth of optimizer.lr"
    twice = math.log(math.e + len(subject.data.classes) - 1) - 1
    if abs(end - twice) < 0.02:
        why = f"the loss stops at {twice:.4f}, as it does with a softmax before the loss's own"
        fix = "remove one softmax"
    elif not end <= level.at(2):
        why, fix = "the loss explodes", "lower optimizer.lr; are gradients cleared between steps?"
    elif abs(end - level.chance) < 0.05 * level.unit:
        why = "the loss stays at chance level: nothing is learnt, or the rate is far too high"
    return found("FAIL", value, expected=expected, why=why, fix=fix)


def _slowly(subject: Subject, losses: list[float]) -> str | None:
    """Why a loss that has not fallen far enough may still do so."""
    level, end = levels(subject), end_of(losses)
    if len(losses) < STEPS and math.isfinite(end):
        return "too few steps to tell: set a larger number of seconds"
    moves = subject.classifier.moves if isinstance(subject.classifier, TransferClassifier) else []
    partly = any(move.start is None for move in moves) and end < level.chance
    if end <= level.at(STUCK) or _falls(losses) or partly:
        return "the loss still falls, but slowly: a low rate or frozen stages can explain it"
    return None


def _low_rate(subject: Subject, losses: list[float], batch: Inputs) -> str | None:
    """That the network learns at a higher rate, if it stayed where it was and a higher rate exists."""
    if abs(end_of(losses) - losses[0]) > FALLING * levels(subject).unit:
        return None
    for factor in HIGHER:
        if end_of(_learn(subject, batch, STEPS, factor)) < levels(subject).at(STUCK):
            return f"nothing is learnt at this rate, but it is at {factor:g} times the rate: too low?"
    return None


def _images(subject: Subject) -> int:
    return min(IMAGES, len(subject.unchanged.labels), max(FEWEST, subject.afford(STEPS)))


def end_of(losses: list[float]) -> float:
    """The mean of the last losses; infinite if they are non-finite."""
    last = torch.tensor(losses[-5:])
    return float(last.mean()) if last.isfinite().all() else math.inf


def _falls(losses: list[float]) -> bool:
    """Whether the loss was clearly lower in the last quarter of the steps than in the one before."""
    part = max(1, len(losses) // 4)
    late = torch.tensor(losses[-part:]).mean()
    early = torch.tensor(losses[-2 * part : -part]).mean()
    return bool(late < FALLING * early)
