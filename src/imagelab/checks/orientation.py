"""Are images of val, compared with train, neither turned, mirrored, transposed nor in negative?"""

import torch

from imagelab.checks.findings import fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.val_labels import SIDE
from imagelab.finding import Finding

MOST = 400  # images of val
ERRORS, CLOSER = 8.0, 0.05  # standard errors, and share of the distance, by which another way must be closer
WAYS = {
    "transposed": lambda images: images.transpose(-1, -2),
    "turned by 90 degrees": lambda images: images.rot90(1, (-2, -1)),
    "turned by 180 degrees": lambda images: images.rot90(2, (-2, -1)),
    "turned by 270 degrees": lambda images: images.rot90(3, (-2, -1)),
    "mirrored": lambda images: images.flip(-1),
    "upside down": lambda images: images.flip(-2),
    "in negative": lambda images: 255 - images,
}


def orientation(subject: Subject) -> Finding:
    """Images of val are closer to training images as they are than turned, mirrored or in negative."""
    val, train = (
        torch.nn.functional.adaptive_avg_pool2d(batch, SIDE)
        for batch in (subject.small["val"][0][:MOST].float(), subject.small["train"][0].float())
    )
    if len(val) < 10:
        return fact(None, "too few images of val")
    usual = _nearest(val, train)
    errors, gains = {}, {}
    for way, turn in WAYS.items():
        gain = usual - _nearest(turn(val), train)
        gains[way] = float(gain.mean() / usual.mean().clamp(min=1e-9))
        errors[way] = float(gain.mean() / (gain.std() / len(gain) ** 0.5).clamp(min=1e-9))
    way = max(gains, key=lambda one: gains[one])
    bad = gains[way] > CLOSER and errors[way] > ERRORS
    return found(
        "FAIL" if bad else "OK",
        f"{way}: {gains[way]:+.0%} closer, {errors[way]:.1f} standard errors",
        expected=f"no other way closer by {CLOSER:.0%} and {ERRORS:g} standard errors",
        why=f"images of val would be closer to train if {way}"
        if bad
        else "val and train are the same way round",
        fix="read both splits with the same function; keep height before width" if bad else "",
    )


def _nearest(images: torch.Tensor, among: torch.Tensor) -> torch.Tensor:
    return torch.cdist(images.flatten(1), among.flatten(1)).amin(dim=1)
