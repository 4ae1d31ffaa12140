"""Is the network more than a linear map, and do its values fit into the precision of the run?"""

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from imagelab.checks.apart import wake
from imagelab.checks.findings import NAMED, fact, found
from imagelab.checks.subject import Subject
from imagelab.finding import Finding, grade
from imagelab.problem import some_of

AFFINE = 1e-4  # error of a linear map, relative to how far outputs are apart
ROOM = 16.0  # factor that training may add to a value


@torch.no_grad()
def nonlinearity(subject: Subject) -> Finding:
    """The outputs for a mean of two images are not the mean of their outputs."""
    copy = subject.calm().eval()
    layers = sum(isinstance(layer, nn.Linear | _ConvNd) for layer in copy.net.modules())
    wake(copy.net)
    images = subject.some(4).images[:4]
    one, other = copy(images[:2]).float(), copy(images[-2:]).float()
    middle = copy(0.7 * images[:2] + 0.3 * images[-2:]).float()
    size = float((one - other).abs().max())
    away = float((middle - 0.7 * one - 0.3 * other).abs().max())
    value = f"{away / size:.2g} of the outputs" if size else "all outputs are the same"
    if layers < 2 or not size:
        return fact(
            value, "one layer is linear by intention" if layers < 2 else "there is nothing to compare"
        )
    linear = away < AFFINE * size
    return found(
        "FAIL" if linear else "OK",
        value,
        expected=f"more than {AFFINE:g} from a linear map",
        why=f"without a nonlinearity between them, {layers} layers are worth one"
        if linear
        else "it is not a linear map",
        fix="put an activation such as ReLU after each layer but the last" if linear else "",
    )


def half_precision(subject: Subject) -> Finding:
    """All values of the network fit into float16, if that is the precision of the run."""
    precision = str(subject.cfg["trainer"].get("precision") or "")
    if not precision.startswith("16"):
        return fact(precision or "32-true", "the run does not compute in float16")
    limit = torch.finfo(torch.float16).max
    largest = _largest(subject)
    over = [name for name, value in largest.items() if not value <= limit]
    most = max(largest.values(), default=0.0)
    return found(
        grade(fail=over, warn=most > limit / ROOM),
        f"at most {most:.3g}",
        expected=f"at most {limit / ROOM:.3g} before training; FAIL above {limit:.5g}, the largest float16",
        why=f"overflow in {some_of(over, NAMED)}" if over else "no layer's outputs overflow",
        fix="set trainer.precision=bf16-mixed, or normalise the inputs and layers"
        if most > limit / ROOM
        else "",
    )


@torch.no_grad()
def _largest(subject: Subject) -> dict[str, float]:
    """The largest value of the input and of each layer's outputs, in float32."""
    copy = subject.plain().train()
    images = subject.some(subject.count).images
    largest = {"the input": float(images.abs().max())}

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor):
            largest[name] = max(largest.get(name, 0.0), float(output.detach().abs().max()))

    for name, layer in copy.net.named_modules():
        if not any(layer.children()):
            layer.register_forward_hook(lambda layer, _, output, name=name: note(name, output))
    copy(images)
    return largest
