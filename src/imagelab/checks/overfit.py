"""Can the network overfit a few images? If so, images, loss, gradients and steps work together.

Source: Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/, "overfit one batch".
"""

import math

import torch

from imagelab.checks.findings import NO_CLASSES, fact, found, left_out
from imagelab.checks.loss import floor_of
from imagelab.checks.subject import Subject, cut
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.contracts import Inputs
from imagelab.finding import Finding
from imagelab.transfer import TransferClassifier

IMAGES, FEWEST = 16, 4
STEPS, LONGEST, SHORTEST = 200, 500, 40
LEARNT, STUCK = 0.05, 0.3  # loss above the lowest possible loss
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
    least = _least(subject)
    losses = _learn(subject, batch, min(STEPS, most), least)
    if _level(losses) - least > LEARNT and _falls(losses) and most > STEPS:
        losses = _learn(subject, batch, most, least)
    subject.pictures["overfit"] = losses
    return _verdict(subject, losses, least, count)


def _learn(subject: Subject, batch: Inputs, steps: int, least: float) -> list[float]:
    copy = subject.calm()
    return train(subject, copy, [batch] * steps, warmup=WARMUP, until=least + 0.6 * LEARNT)


def _verdict(subject: Subject, losses: list[float], least: float, count: int) -> Finding:
    end = _level(losses) - least
    classes = len(subject.data.classes)
    expected = f"below {LEARNT:g} within {LONGEST} steps; FAIL if it stays above {STUCK:g}"
    value = f"{end:.4g} after {len(losses)} steps on {count} images"
    if end <= LEARNT:
        return found(
            "OK", value, expected=expected, why="images, labels, loss, gradients and steps work together"
        )
    twice = math.log(math.e + classes - 1) - 1
    why = "the network cannot overfit a few images"
    fix = "go through the checks above; then try ten times and a tenth of optimizer.lr"
    if abs(end + least - twice) < 0.02:
        why = f"the loss stops at {twice:.4f}, as it does with a softmax before the loss's own"
        fix = "remove one softmax"
    elif not math.isfinite(end) or end > 2 * math.log(classes):
        why, fix = "the loss explodes", "lower optimizer.lr; are gradients cleared between steps?"
    elif abs(end + least - math.log(classes)) < 0.1:
        why = "the loss stays at chance level: nothing is learnt, or the rate is far too high"
    partly = isinstance(subject.classifier, TransferClassifier) and any(
        m.start is None for m in subject.classifier.moves
    )
    few = len(losses) < STEPS and math.isfinite(end)
    slow = few or end <= STUCK or _falls(losses) or (partly and end < math.log(classes))
    if slow:
        why = "the loss still falls, but slowly: a low rate or frozen stages can explain it"
        why = "too few steps to tell: set a larger number of seconds" if few else why
        fix = (
            "try a higher optimizer.lr"
            "; `imagelab find_lr` suggests one"  # room: finders
        )
    return found(
        "WARN" if slow else "FAIL",
        value,
        expected=expected,
        why=why,
        fix=fix,
    )


def _images(subject: Subject) -> int:
    return min(IMAGES, len(subject.unchanged.labels), max(FEWEST, subject.afford(STEPS)))


def _least(subject: Subject) -> float:
    """The lowest possible loss: above 0 if labels are smoothed."""
    return floor_of(subject.classifier, len(subject.data.classes))


def _level(losses: list[float]) -> float:
    last = torch.tensor(losses[-5:])
    return float(last.mean()) if last.isfinite().all() else math.inf


def _falls(losses: list[float]) -> bool:
    """Whether the loss was clearly lower in the last quarter of the steps than in the one before."""
    part = max(1, len(losses) // 4)
    late = torch.tensor(losses[-part:]).mean()
    early = torch.tensor(losses[-2 * part : -part]).mean()
    return bool(late < FALLING * early)
