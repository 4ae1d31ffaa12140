"""Fold findings that follow from another one under it, so that the first line names the cause."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from imagelab.finding import Finding

TRAINING = (
    "overfit one batch",
    "input-independent baseline",
    "learning rate",
    "larger sample",
    "larger network",
)
STEPS = ("gradients", "parameters move", "gradients cleared", "batch statistics", "update of the weights")
BACK = ("gradients", "parameters move", "gradients cleared", "gradients by layer", "update of the weights")
FORWARD = ("logits", "loss at init", "activations by layer", "batch leak", "evaluation image by image")
EVALUATION = ("metrics of the whole split", "inputs of train and val")
CAUSES: Mapping[str, Sequence[str]] = {
    "classes and labels": (
        "labels follow the images",
        "labels of val",
        "loss function",
        "one seed",
        "inputs",
        "augmentation",
        *FORWARD,
        *EVALUATION,
        *BACK,
        *TRAINING,
    ),
    "boxes": ("boxes follow the images", "boxes of augmented images", "boxes memorised"),  # room: detection
    "boxes follow the images": ("boxes of augmented images", "boxes memorised"),  # room: detection
    "augmentation": ("inputs", *EVALUATION, *TRAINING),
    "inputs": ("one seed", "neighbouring pixels", *FORWARD, *EVALUATION, *BACK, *TRAINING),
    "copies across splits": ("near copies across splits",),
    "neighbouring pixels": ("images of val", "one seed", *EVALUATION),
    "images of val": EVALUATION,
    "colour channels": ("inputs of train and val",),
    "labels follow the images": ("input-independent baseline", "learning rate"),
    "loss function": ("loss at init", *BACK, *TRAINING),
    "activations by layer": ("batch leak", "logits", "loss at init", *BACK, *TRAINING),
    "logits": ("loss at init", *TRAINING),
    "batch leak": ("evaluation image by image", "metrics of the whole split", *BACK, *TRAINING),
    "evaluation image by image": ("metrics of the whole split",),
    "rates": ("optimizer", *STEPS, *TRAINING),
    "optimizer": (*BACK, "frozen layers", *TRAINING),
    "gradients": ("parameters move", "gradients by layer", "update of the weights", *TRAINING),
    "parameters move": ("update of the weights", *TRAINING),
    "gradients cleared": TRAINING,
    "overfit one batch": TRAINING[1:],
}
"""What fails too because of a failed check; of two that explain each other, the first here is the cause."""


def folded(findings: Sequence[Finding]) -> list[Finding]:
    """Findings with causes first, each followed by the findings that it explains, which become INFO.

    >>> one = Finding(name="gradients", status="FAIL", value=0, expected="1", why="none", fix="look")
    >>> cause = replace(one, name="optimizer")
    >>> for found in folded([one, cause]):
    ...     print(found.status, found.name, "-", found.why)
    FAIL optimizer - none; this explains gradients
    INFO gradients - follows from optimizer: none
    """
    by_name = {one.name: one for one in findings}
    speaking = [one.name for one in findings if one.status in ("FAIL", "WARN")]
    order = [name for name in CAUSES if name in speaking and by_name[name].status == "FAIL"]
    follows: dict[str, str] = {}
    for cause in order:
        if cause not in follows:
            follows |= {name: cause for name in CAUSES[cause] if name in speaking and name not in follows}
    first: list[Finding] = []
    for cause in [name for name in order if name not in follows]:
        mine = [name for name in speaking if follows.get(name) == cause]
        words = f"; this explains {', '.join(mine)}" if mine else ""
        first.append(replace(by_name[cause], why=by_name[cause].why + words))
        first += [_under(by_name[name], cause) for name in mine]
    placed = {one.name for one in first}
    return [*first, *(one for one in findings if one.name not in placed)]


def _under(finding: Finding, cause: str) -> Finding:
    return replace(finding, status="INFO", why=f"follows from {cause}: {finding.why}", fix="")
