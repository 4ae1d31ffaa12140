"""Is each prediction independent of the rest of the batch, and the same each time?

Source: Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/, "use backprop to chart dependencies".
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from imagelab.checks.findings import DETECTOR, fact, found
from imagelab.checks.subject import Subject
from imagelab.classifier import Classifier
from imagelab.finding import Finding, grade

IMAGES = 4
ALONE = 1e-3  # allowed difference of an image alone, relative to the outputs: rounding of sums
LOST = 0.02  # larger relative differences are not rounding


def batch_leak(subject: Subject) -> Finding:
    """The output for an image depends on that image, and on no other in its batch."""
    if subject.data.boxes:  # room: detection
        return fact(None, DETECTOR)
    images = subject.some(IMAGES).images[:IMAGES]
    expected = "zero gradient at all other images, non-zero at its own; NaN in others does not spread"
    for mode in ("evaluation", "training"):
        copy = subject.calm()
        (copy.eval if mode == "evaluation" else copy.train)()
        _fix_statistics(copy.net)
        wake(copy.net)
        others, own = _gradients(copy, images)
        spoilt = _spoilt(copy, images)
        if others > 0 or spoilt:
            return found(
                "FAIL",
                f"in {mode}: {others:.3g} at others, {own:.3g} at its own" + "; NaN spreads" * spoilt,
                expected=expected,
                why="images of a batch are mixed: predictions depend on the rest of the batch",
                fix="look for view, reshape or a mean over axis 0 in the network's forward; use permute",
            )
        if own == 0:
            why = "the gradient of an output does not reach its own image: some layer blocks it"
            fix = "look for detach, no_grad and dead units"
            return found("FAIL", f"in {mode}: 0 at its own", expected=expected, why=why, fix=fix)
    return found(
        "OK", f"0 at others, {own:.3g} at its own", expected=expected, why="images do not affect each other"
    )


def evaluation_by_image(subject: Subject) -> Finding:
    """In evaluation, an image gets the same outputs each time, alone or in a batch."""
    copy = subject.plain().eval()
    images = subject.some(2 * IMAGES).images
    with torch.no_grad():
        first, second = copy(images).float(), copy(images).float()
        alone = torch.cat([copy(image[None]) for image in images]).float()
    size = float(first.abs().max()) or 1.0
    again, apart = (float((first - other).abs().max()) / size for other in (second, alone))
    status = grade(fail=again > 0 or not apart <= LOST, warn=apart > ALONE)
    why = {
        "OK": "evaluation is deterministic and uses no batch statistics",
        "WARN": "an image alone gets slightly different outputs: rounding, or batch statistics",
        "FAIL": "evaluation is random (dropout?), or uses batch statistics",
    }
    return found(
        status,
        f"differs by {again:.3g} on repeat, by {apart:.3g} alone",
        expected=f"0 on repeat, alone at most {ALONE:g} of the outputs' size; FAIL above {LOST:g}",
        why=why[status],
        fix="" if status == "OK" else "let dropout and BatchNorm follow self.training; call eval()",
    )


def _fix_statistics(net: nn.Module) -> None:
    for layer in net.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()


@torch.no_grad()
def wake(net: nn.Module) -> None:
    """Give layers that start at zero, such as a head, some weights: nothing would pass them."""
    for name, parameter in net.named_parameters():
        if name.endswith("weight") and not parameter.any():
            values = torch.linspace(-1, 1, parameter.numel(), dtype=torch.float64).sin()
            parameter.copy_(values.reshape(parameter.shape) if parameter.ndim > 1 else values.abs() + 0.1)


def _gradients(copy: Classifier, images: Tensor) -> tuple[float, float]:
    """The largest gradient of one image's outputs with respect to the other images, and to itself."""
    given = images.clone().requires_grad_(True)
    outputs = copy(given).float()
    at = (
        torch.autograd.grad(_weighed(outputs[1]), given, allow_unused=True)[0]
        if outputs.requires_grad
        else None
    )
    if at is None:
        return 0.0, 0.0
    sizes = at.abs().flatten(1).amax(dim=1)
    own = float(sizes[1])
    sizes[1] = 0
    return float(sizes.max()), own


def _weighed(outputs: Tensor) -> Tensor:
    """A weighted sum in which outputs do not cancel, as those of a softmax would in a plain one."""
    return (outputs * torch.linspace(1, 2, len(outputs))).sum()


@torch.no_grad()
def _spoilt(copy: Classifier, images: Tensor) -> bool:
    broken = torch.full_like(images, torch.nan)
    broken[1] = images[1]
    return not bool(copy(broken)[1].isfinite().all())
