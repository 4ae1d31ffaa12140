"""Is the loss a valid classification loss, and is the initial loss at chance level?

Source: Karpathy 2019, "A Recipe for Training Neural Networks", https://karpathy.github.io/2019/04/25/recipe/,
"verify loss @ init".
"""

import math
from typing import Any

import torch
from torch import Tensor

from imagelab.checks.chance import Criterion, criterion_of, levels
from imagelab.checks.findings import NO_CLASSES, fact, found
from imagelab.checks.subject import LEAST, MOST, Subject
from imagelab.classifier import Classifier
from imagelab.finding import Finding, grade

RIGHT, SUM = 0.3, 0.05  # loss of confident correct predictions, as a share of chance; error of the mean
NEAR, NEAR_FEW, FAR = 0.25, 0.4, 2.0  # share of the expected loss; nats for few classes; factor
FEW = 10  # classes
SIZES = (0, 1, 2, 4, 8, 16)  # of logits
SAME = 1e-3
SCALE = 300.0  # factor between losses that the same rates fit
UNSURE = 1.0  # deviation of outputs below which they are not too sure


def loss_function(subject: Subject) -> Finding:
    """A confident correct prediction has almost no loss, a wrong one more; the loss is a mean over images."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    classes = len(subject.data.classes)
    labels = torch.arange(classes).repeat(2)[: max(2, min(2 * classes, 64))] % classes
    sure = subject.task.targets(labels, classes=classes, mixed=True).float()
    criterion = criterion_of(subject.plain())
    with torch.no_grad():
        right = [min(float(criterion(size * one, labels)) for one in (sure, 2 * sure - 1)) for size in SIZES]
        wrong = float(criterion(-8 * sure, labels))
        several = float(criterion(-2 * sure.repeat(4, 1), labels.repeat(4)) / criterion(-2 * sure, labels))
    expected = f"correct predictions cost at most {RIGHT:g} of chance, wrong ones more; mean over images"
    fault = _shape(right, wrong) or _size(subject, right, several)
    if fault is None and (idle := _idle(criterion, sure, labels)):
        why = (
            f"{idle} of {len(labels)} wrong predictions have no gradient: a clamped loss, or images left out"
        )
        fault = f"{idle} without", why, "do not clamp the loss; average over the batch"
    if fault is not None:
        value, why, fix = fault
        return found("FAIL", value, expected=expected, why=why, fix=fix)
    return found("OK", round(min(right), 4), expected=expected, why="the loss rewards correct predictions")


Fault = tuple[Any, str, str] | None  # value, why, fix


def _shape(right: list[float], wrong: float) -> Fault:
    """What is wrong with how the loss changes with predictions, if anything.

    Args:
        right: Losses of correct predictions, in order of rising confidence.
        wrong: Loss of a confident wrong prediction.
    """
    if not all(map(math.isfinite, [*right, wrong])):
        return "NaN or infinite", "confident predictions have a non-finite loss", "take log_softmax of logits"
    if min(right[1:]) > right[0] + SAME and wrong < right[0]:
        why = "correct predictions cost more than unsure ones, so the loss has the wrong sign"
        return round(min(right[1:]), 4), why, "minimise the loss: turn its sign round"
    if right[-1] < -1 and right[-1] < right[-2] - SAME:
        why = "the loss falls below 0 without end: it wants log-probabilities, and is given logits"
        return round(right[-1], 4), why, "use CrossEntropyLoss for logits, or NLLLoss after log_softmax"
    if wrong <= right[0] + SAME:
        why = "wrong predictions cost no more than unsure ones: the loss is clamped, or ignores the outputs"
        return round(wrong, 4), why, "let wrong predictions cost more; do not clamp the loss from above"
    return None


def _size(subject: Subject, right: list[float], several: float) -> Fault:
    classes = len(subject.data.classes)
    lowest, chance = min(right), levels(subject)
    if lowest - chance.floor > RIGHT * max(chance.uniform, math.log(2)):
        twice = math.log(math.e + classes - 1) - 1
        why = f"the loss of correct predictions cannot fall below {lowest:.4g}"
        why += ": a softmax before a loss that applies one itself" if abs(lowest - twice) < 0.02 else ""
        return round(lowest, 4), why, "give the loss plain logits"
    times = chance.uniform / math.log(classes)
    if not 1 / SCALE < times < SCALE:
        why = f"the loss is {times:.3g} times that of cross entropy: rates and clipping mean something else"
        return round(chance.uniform, 4), why, "leave out the factor"
    if not abs(several - 1) <= SUM:
        why = f"four times the images give {several:.3g} times the loss: rates then depend on the batch size"
        return round(several, 3), why, "set loss.reduction=mean"
    return None


def _idle(criterion: Criterion, sure: Tensor, labels: Tensor) -> int:
    """The number of wrong predictions without a gradient."""
    idle = 0
    for size in (1, 8):
        unequal = torch.linspace(1, 1.5, len(sure))[:, None]  # the largest alone may count
        given = (-size * unequal * sure).requires_grad_(True)
        (gradient,) = torch.autograd.grad(criterion(given, labels), given, allow_unused=True)
        idle = max(idle, 0 if gradient is None else int((gradient.abs().sum(dim=1) == 0).sum()))
    return idle


def logits(subject: Subject) -> Finding:
    """The network returns logits, not probabilities."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    with torch.no_grad():
        outputs = subject.calm().train()(subject.some(subject.count).images).float()
    expected = "finite numbers of any sign, whose rows do not sum to 1"
    if not outputs.isfinite().all():
        why = "the outputs of the untrained network are non-finite"
        return found("FAIL", "NaN or infinite", expected=expected, why=why, fix="look at inputs and init")
    sums = bool((outputs >= 0).all()) and float((outputs.sum(1) - 1).abs().max()) < 1e-3
    spread = float(outputs.std(dim=0).mean())
    if sums:
        why = "these are probabilities: the loss applies a second softmax, and learning stalls"
        return found(
            "FAIL", "rows sum to 1", expected=expected, why=why, fix="remove the softmax from the network"
        )
    same = spread < 1e-7 * max(1.0, float(outputs.abs().max()))
    zero = same and not float(outputs.abs().max())
    return found(
        "WARN" if same and not zero else "OK",
        f"spread {float(outputs.std()):.3g}",
        expected=expected,
        why="all images get the same logits" if same else "logits differ between images",
        fix="look at the activations by layer" if same and not zero else "",
    )


def loss_at_init(subject: Subject) -> Finding:
    """The loss of the untrained network is at chance level."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    value, spread, count = _loss(subject, subject.plain())
    level = levels(subject)
    entropy = subject.label_entropy
    few = NEAR_FEW * level.uniform / math.log(len(subject.data.classes))
    wanted = level.chance if "head_bias" in subject.tricks else level.uniform
    room = few if len(subject.data.classes) < FEW else 0.0
    high = wanted + max(NEAR * wanted, room)
    low = level.chance - max(NEAR * level.chance, room)
    near = low <= value <= high or (value > high and spread < UNSURE)
    far = not math.isfinite(value) or value > FAR * wanted + NEAR_FEW or value < level.chance / FAR
    fix = (
        f"outputs with a deviation of {spread:.2g} are too sure of themselves: scale down the head's init; "
        "look at the loss, the labels and the inputs"
    )
    if value > high and low <= _loss(subject, subject.calm())[0] <= high:
        fix = f"dropout makes outputs differ by chance, with a deviation of {spread:.2g}: lower model.dropout"
    lower = level.chance < 0.9 * level.uniform and wanted != level.chance
    trained = subject.cfg["model"]["weights"] is not None
    odd = not near and not trained
    return found(
        grade(fail=odd and far, warn=odd, info=not near),
        round(value, 4),
        expected=f"{wanted:.4g} within {NEAR:.0%}; FAIL beyond a factor of {FAR:g}",
        why=f"outputs of 0 cost {level.uniform:.4g}, the class frequencies {level.chance:.4g} "
        f"(entropy of the labels: {entropy:.4g}); over {count} images",
        fix=fix if odd else near * lower * "trick=[head_bias] starts at the class frequencies",
    )


def _loss(subject: Subject, copy: Classifier) -> tuple[float, float, int]:
    """Initial loss, deviation of the logits and number of images; in training mode, for fresh statistics."""
    copy.train()
    batch = subject.some(max(min(MOST, 2 * subject.count), LEAST))
    copy.rewires = []
    with torch.no_grad():
        torch.manual_seed(0)
        outputs: Tensor = copy(batch.images)
        return (
            float(criterion_of(copy)(outputs, batch.targets)),
            float(outputs.std(dim=1).mean()),
            len(outputs),
        )
