"""Do short runs on a few hundred images learn from the images, and does the learning rate fit?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from imagelab.checks import overfit
from imagelab.checks.chance import criterion_of, levels, lowest
from imagelab.checks.findings import NO_CLASSES, fact, found, left_out
from imagelab.checks.layers import first_update
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.classifier import Classifier
from imagelab.contracts import Inputs
from imagelab.data.arrays import Arrays
from imagelab.finding import Finding, Status

BATCH, STEPS, SHORTEST = 64, 80, 24
HELD, DECODED = 1024, 192  # images to read: from memory, from files
FEW = 64  # images of train or of val: with fewer, images that are of no use do not fail
WARMUP = 10
GAP = 0.05  # share of the loss on black images by which real images must lower it
SURE = 0.1  # share below the best loss without images from which black images need not be tried
FACTORS = (1.0, 0.1, 10.0)  # on the rate
MEMORISED = 2.0  # rounds after which the loss on train may fall by memorising
HIDDEN = 3.0  # gaps without regularisation that are too much to lose by it
LOWER = (1 / 30, 1 / 300)  # factors on the rate to try if it seems too high
HIGHER = 100.0  # factor to try if no lower rate learns either
WHOLE, BETTER = 1.0, 0.05  # first step relative to the weights; gain of a lower rate over entropy
LEARNS, FAILS = 0.85, 0.97  # shares of what there is to learn


@dataclass(frozen=True)
class Seen:
    """The loss at the end of a short training, on its own images and on images of val."""

    train: float
    val: float


def zeroed_input(subject: Subject) -> Finding:
    """Training on real images lowers the loss on val more than the same training on black images."""
    steps = _steps(subject)
    if (without := _without(subject, steps)) is not None:
        return without
    expected = f">= {GAP:.0%} lower than on black images, after {steps} steps"
    why = "the network learns from the images"
    bound = without_images(subject)
    if (ahead := 1 - _short(subject, 1.0, steps).val / bound) >= SURE:
        value = f"{ahead:.0%} lower than {bound:.3g}, the lowest without images"
        return found("OK", value, expected=expected, why=why)
    black = _short(subject, 1.0, steps, images="black")
    gap = max(_gaps(subject, black, steps, "training"))
    value = f"{gap:.0%} lower than {black.val:.3g}" if math.isfinite(gap) else "NaN or infinite"
    if gap >= GAP:
        return found("OK", value, expected=expected, why=why)
    why, fix, status = _unlearnt(subject, black, steps)
    return found(status, value, expected=expected, why=why, fix=fix)


def without_images(subject: Subject) -> float:
    """The lowest loss on val of the same outputs for every image: training on black images stays above it.

    NaN if there is none, as for a loss without a minimum.
    """
    targets = subject.unseen.targets
    return lowest(criterion_of(subject.plain()), targets, len(subject.data.classes), alike=True)


def _unlearnt(subject: Subject, black: Seen, steps: int) -> tuple[str, str, Status]:
    """Why images are of no use, what to do, and whether that is sure."""
    if min(len(_read(subject).labels), len(subject.unseen.labels)) < FEW or steps < STEPS:
        return (
            "too few images or steps to tell",
            "look at the images with their labels",
            "WARN",
        )
    if _slow(subject):
        why = "training is too slow to tell: a low rate, or frozen stages"
        return why, "try a higher optimizer.lr", "WARN"
    trained = [_short(subject, factor, steps) for factor in FACTORS]
    if only_train(black, trained, rounds=steps * _batch(subject) / len(_read(subject).labels)):
        why = "training images lower the loss at first sight; too few images to tell for val"
        return why, "compare the curves of train and val in a longer run", "WARN"
    calm = max(_gaps(subject, black, steps, "unchanged"))
    if calm >= GAP:
        why = f"without dropout, penalties and augmentation it is {calm:.0%} lower: they hide the images"
        hidden = calm >= HIDDEN * GAP
        return why, "lower model.dropout, weaken augment or penalties", "FAIL" if hidden else "WARN"
    why = "images do not help: their labels are not theirs, or the network does not see them"
    return why, "look at the inputs with their labels; go through the checks above", "FAIL"


def only_train(black: Seen, trained: Sequence[Seen], rounds: float) -> bool:
    """Whether images lower the loss on train, seen too seldom to be memorised: their labels are theirs.

    Args:
        black: Losses after training on black images.
        trained: Losses after training on real ones, at some rates.
        rounds: How often each image was seen.

    >>> black, trained = Seen(train=2.301, val=2.303), [Seen(train=2.008, val=2.373)]
    >>> only_train(black, trained, rounds=1.25), only_train(black, trained, rounds=5)
    (True, False)
    """
    return rounds < MEMORISED and min(one.train for one in trained) < (1 - GAP) * black.train


def _gaps(subject: Subject, black: Seen, steps: int, images: str) -> Iterator[float]:
    """By how much images lower the loss on val, at some rates, up to the first that is enough."""
    for factor in FACTORS:
        gap = 1 - _short(subject, factor, steps, images=images).val / max(black.val, 1e-9)
        yield gap if gap == gap else -math.inf
        if gap >= GAP:
            return


def rate(subject: Subject) -> Finding:
    """The network learns at its peak rate; if not, lower rates are tried."""
    steps = _steps(subject)
    if (without := _without(subject, steps)) is not None:
        return without
    level = levels(subject)
    expected = f"a training loss below {level.at(FAILS):.3g}; no step as large as the weights"
    losses = [_short(subject, 1.0, steps).train]
    large = first_update(subject) > WHOLE
    learns = losses[0] < level.at(FAILS)
    for factor in () if learns and not large else LOWER:
        losses.append(_short(subject, factor, steps).train)
        if losses[-1] < level.at(LEARNS):
            break
    peak = max(group["lr"] for group in subject.classifier.groups)
    value = f"loss {losses[0]:.3g} at {peak:.2g}"
    best = losses[-1]
    if best < level.at(LEARNS) and best < losses[0] - BETTER * level.unit:
        lower = peak * LOWER[len(losses) - 2]
        why = f"at {lower:.2g} it falls to {best:.3g}: the rate is far too high"
        fix = (
            f"set optimizer.lr={lower:.2g}"
            "; `imagelab find_lr` finds the best one"  # room: finders
        )
        return found("FAIL" if steps == STEPS else "WARN", value, expected=expected, why=why, fix=fix)
    if learns:
        return found("OK", value, expected=expected, why=f"{steps} steps at the peak rate lower the loss")
    higher = HIGHER * peak
    if _short(subject, HIGHER, steps).train < level.at(LEARNS):
        why = f"in {steps} steps, the network learns nothing at {peak:.2g} and much at {higher:.2g}: too low?"
        return found("WARN", value, expected=expected, why=why, fix=f"set optimizer.lr={higher:.2g}")
    why = f"the network learnt nothing in {steps} steps at any rate tried"
    fix = (
        "go through the checks above"
        "; `imagelab find_lr` finds a rate"  # room: finders
    )
    return found("WARN", value, expected=expected, why=why, fix=fix)


def _without(subject: Subject, steps: int) -> Finding | None:
    if subject.task is None:
        return fact(None, NO_CLASSES)
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    if steps < SHORTEST:
        return left_out(subject, SHORTEST, _batch(subject), runs=2)
    return None


def _steps(subject: Subject) -> int:
    return min(STEPS, subject.afford(2 * _batch(subject)))


def _batch(subject: Subject) -> int:
    slow = subject.afford(2 * BATCH) < SHORTEST
    return min(16 if slow else BATCH, len(subject.data.splits["train"]))


def _slow(subject: Subject) -> bool:
    """Whether the network cannot overfit even a few images in the usual number of steps."""
    return overfit.one_batch(subject).status != "OK"


def _short(subject: Subject, factor: float, steps: int, images: str = "training") -> Seen:
    """Train once for some steps, on images as in training, black, or unchanged by a calm network."""
    key = ("short", factor, steps, images)
    if key not in subject.pictures:
        subject.pictures[key] = _train(subject, factor, steps, images)  # pyright: ignore[reportArgumentType]
    return subject.pictures[key]  # pyright: ignore[reportArgumentType]


def _train(subject: Subject, factor: float, steps: int, kind: str) -> Seen:
    images = _read(subject)
    val = subject.unseen
    if kind == "unchanged":
        images = subject.read("train", images.index[: len(images.labels)].numpy())
    if kind == "black":
        images, val = (batch._replace(images=torch.zeros_like(batch.images)) for batch in (images, val))
    copy = subject.calm() if kind == "unchanged" else subject.copy()
    size = _batch(subject)
    whole = len(images.labels)
    batches = []
    for step in range(steps):
        places = torch.arange(step * size, (step + 1) * size) % whole
        batches.append(Inputs(*(part[places] for part in images)))
    losses = train(subject, copy, batches, rate=factor, warmup=WARMUP)
    last = torch.tensor(losses[-max(4, steps // 8) :])
    reached = len(losses) == steps and bool(last.isfinite().all())
    return Seen(float(last.mean()) if reached else math.inf, _loss(copy, val) if reached else math.inf)


@torch.no_grad()
def _loss(copy: Classifier, val: Inputs) -> float:
    """The loss on val, with its own batch statistics: running ones lag behind in so short a training."""
    copy.float().train()
    copy.rewires = []
    value = float(criterion_of(copy)(copy(val.images.float()).float(), val.targets))
    return value if math.isfinite(value) else math.inf


def _read(subject: Subject) -> Inputs:
    if "read" not in subject.pictures:
        most = HELD if isinstance(subject.data.splits["train"], Arrays) else DECODED
        subject.pictures["read"] = subject.training(min(most, len(subject.data.splits["train"])))
    return subject.pictures["read"]
