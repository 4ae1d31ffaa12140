"""Do the labels say so where training images are blends of several?"""

import copy

import torch
from torch import Tensor

from imagelab.checks.findings import NO_CLASSES, fact, found
from imagelab.checks.subject import Subject
from imagelab.contracts import Inputs
from imagelab.finding import Finding, grade

BATCHES, IMAGES = 4, 32
PARALLEL, PATCHED = 0.97, 0.9  # cosine of a change towards another image; share of changed pixels from it
CHANGED = 0.05  # share of the pixels
ERROR = 0.15  # of a share
MANY, SOME = 0.25, 0.1  # share of the images


def mixed_labels(subject: Subject) -> Finding:
    """A training image that holds a part of another image has a part of its label, too."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    if subject.data.views > 1 or len(subject.data.splits["train"]) < IMAGES:
        return fact(None, "images come in several views, or are too few")
    blended = wrong = 0
    for epoch in range(BATCHES):
        batch = subject.training(IMAGES, epoch)
        partner, part = blends(batch.images, _own(subject, batch, epoch))
        mixed = (partner >= 0) & (batch.labels[partner] != batch.labels)
        blended += int(mixed.sum())
        said = _shares(batch, len(subject.data.classes))[torch.arange(IMAGES), batch.labels[partner]]
        wrong += int((mixed & (said < part - ERROR)).sum())
    share = wrong / (BATCHES * IMAGES)
    why = "blends have labels in the same shares" if blended else "images are not blended with others"
    return found(
        grade(fail=share > MANY, warn=share > SOME),
        f"{share:.0%} of {BATCHES * IMAGES} images",
        expected=f"at most {SOME:.0%} hold more of another image than labels say; FAIL above {MANY:.0%}",
        why="images are blended with others, and keep the label of one" if share > SOME else why,
        fix="mix the labels in the same shares: augment=[mixup], [cutmix]" if share > SOME else "",
    )


def blends(seen: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Find the other image of the batch that each image (B, ...) of `seen` is blended with, and its share.

    The result is (B,) int64, -1 for none, and (B,) float; a part of the other image may also be pasted.

    >>> own = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    >>> partner, part = blends(0.7 * own + 0.3 * own.flip(0), own)
    >>> partner.tolist(), round(float(part.mean()), 4), blends(own, own)[0].unique().tolist()
    ([7, 6, 5, 4, 3, 2, 1, 0], 0.3, [-1])
    """
    seen, own = seen.flatten(1).float(), own.flatten(1).float()
    change = seen - own
    towards = own[None] - own[:, None]  # (image, other, values)
    cosine = torch.cosine_similarity(change[:, None], towards, dim=2)
    moved = change.abs() > 1e-3
    pasted = (seen[:, None] - own[None]).abs() < 1e-3
    share = (pasted & moved[:, None]).sum(dim=2) / moved.sum(dim=1, keepdim=True).clamp(min=1)
    place = torch.arange(len(own))
    for table in (cosine, share):
        table[place, place] = 0
    much = moved.float().mean(dim=1) > CHANGED
    along, pasted_over = cosine.max(dim=1), share.max(dim=1)
    partner = torch.where(along.values > PARALLEL, along.indices, -1)
    partner = torch.where((partner < 0) & (pasted_over.values > PATCHED), pasted_over.indices, partner)
    size = towards[place, partner].norm(dim=1).clamp(min=1e-9)
    part = torch.where(along.values > PARALLEL, change.norm(dim=1) / size, moved.float().mean(dim=1))
    return torch.where(much, partner, -1), part


def _shares(batch: Inputs, classes: int) -> Tensor:
    """The share of each class in the targets, (B, K)."""
    if batch.targets.is_floating_point():
        return batch.targets
    return torch.eye(classes)[batch.targets]


def _own(subject: Subject, batch: Inputs, epoch: int) -> Tensor:
    """The same images augmented in the same way, unmixed; without augmentation if it is not known to mix."""
    if not subject.data.mixing:
        return subject.read("train", batch.index.numpy()).images
    alone = copy.copy(subject)
    alone.data = copy.copy(subject.data)
    alone.data.mixing = []
    return alone.training(IMAGES, epoch).images
