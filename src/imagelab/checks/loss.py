"""Is the loss a valid classification loss, and is the initial loss at chance level?

Source: Karpathy 2019, "A Recipe for Training Neural Networks", https://karpathy.github.io/2019/04/25/recipe/,
"verify loss @ init".
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from imagelab.checks.findings import NO_CLASSES, fact, found
from imagelab.checks.subject import LEAST, MOST, Subject
from imagelab.classifier import Classifier
from imagelab.contracts import Inputs
from imagelab.finding import Finding, grade

RIGHT, SUM = 0.3, 0.05  # highest loss of confident correct predictions, over log K; error of the mean
NEAR, NEAR_FEW, FAR = 0.25, 0.4, 2.0  # share of the expected loss; nats for few classes; factor
FEW = 10  # classes


def loss_function(subject: Subject) -> Finding:
    """A confident correct prediction has almost no loss, a wrong one more; the loss is a mean over images."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    classes = len(subject.data.classes)
    labels = torch.arange(classes).repeat(2)[: max(2, min(2 * classes, 64))] % classes
    sure = subject.task.targets(labels, classes=classes, mixed=True).float()
    criterion = criterion_of(subject.plain())
    with torch.no_grad():
        costs = [float(criterion(size * sure, labels)) for size in (0, 1, 2, 4, 8, 16)]
        wrong = float(criterion(-8 * sure, labels))
        several = float(criterion(2 * sure.repeat(4, 1), labels.repeat(4))) / max(costs[2], 1e-9)
    idle = _idle(criterion, sure, labels)
    floor = floor_of(subject.classifier, classes)
    ratio = (min(costs) - floor) / math.log(classes)
    expected = f"loss of correct predictions at most {RIGHT:g} log K, of wrong ones higher; mean over images"
    if ratio > RIGHT:
        twice = math.log(math.e + classes - 1) - 1
        why = f"the loss of correct predictions cannot fall below {min(costs):.4g}"
        why += ": a softmax before a loss that applies one itself" if abs(min(costs) - twice) < 0.02 else ""
        return found(
            "FAIL", round(min(costs), 4), expected=expected, why=why, fix="give the loss plain logits"
        )
    if wrong <= costs[0] + 1e-3:
        why = "wrong predictions cost no more than uniform ones"
        return found("FAIL", round(wrong, 4), expected=expected, why=why, fix="look at the sign of the loss")
    if idle:
        why = f"{idle} of {len(labels)} images do not contribute to the loss"
        return found("FAIL", f"{idle} without", expected=expected, why=why, fix="average over the batch")
    if abs(several - 1) > SUM:
        why = f"four times the images give {several:.3g} times the loss: rates then depend on the batch size"
        return found("FAIL", round(several, 3), expected=expected, why=why, fix="set loss.reduction=mean")
    return found("OK", round(min(costs), 4), expected=expected, why="the loss rewards correct predictions")


def _idle(criterion: Callable[[Tensor, Tensor], Tensor], sure: Tensor, labels: Tensor) -> int:
    """The number of wrong predictions without a gradient."""
    given = (-sure).requires_grad_(True)
    (gradient,) = torch.autograd.grad(criterion(given, labels), given, allow_unused=True)
    return 0 if gradient is None else int((gradient.abs().sum(dim=1) == 0).sum())


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
    value, spread, count = _loss(subject)
    classes = len(subject.data.classes)
    uniform = math.log(classes)
    prior = subject.label_entropy
    wanted = prior if "head_bias" in subject.tricks else uniform
    near = abs(value - wanted) <= max(NEAR * wanted, NEAR_FEW if classes < FEW else 0.0)
    far = not math.isfinite(value) or value > FAR * wanted + NEAR_FEW or value < wanted / FAR
    fix = (
        f"logits with a deviation of {spread:.2g} add about {spread**2 / 2:.2g}: scale down the head's init; "
        "look at the loss, the labels and the inputs"
    )
    trick = "trick=[head_bias] starts at that entropy" if prior < 0.9 * uniform and wanted != prior else ""
    trained = subject.cfg["model"]["weights"] is not None
    odd = not near and not trained
    return found(
        grade(fail=odd and far, warn=odd, info=not near),
        round(value, 4),
        expected=f"{wanted:.4g} within {NEAR:.0%}; FAIL beyond a factor of {FAR:g}",
        why=f"log K is {uniform:.4g}, the entropy of the training labels {prior:.4g}; over {count} images",
        fix=fix if odd else near * trick,
    )


def _loss(subject: Subject) -> tuple[float, float, int]:
    """Initial loss, deviation of the logits and number of images; in training mode, for fresh statistics."""
    copy = subject.plain().train()
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


def criterion_of(module: Classifier) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a module's task, as a function of outputs and targets."""

    def criterion(outputs: Tensor, targets: Tensor) -> Tensor:
        index = torch.arange(len(outputs))
        batch = Inputs(images=torch.empty(len(outputs), 0), targets=targets, labels=targets, index=index)
        return module.task.loss(lambda _: outputs, batch)

    return criterion


def floor_of(module: Classifier, classes: int) -> float:
    """The lowest possible loss: above 0 if labels are smoothed."""
    smoothing = getattr(getattr(module.task, "criterion", None), "label_smoothing", 0.0)
    if not smoothing:
        return 0.0
    right = 1 - smoothing + smoothing / classes
    wrong = smoothing / classes
    return -(right * math.log(right) + (classes - 1) * wrong * math.log(wrong))
