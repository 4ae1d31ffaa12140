"""Do augmented images keep their label: are they the image it belongs to, and do they look like its class?"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

from imagelab.checks.findings import NO_CLASSES, fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.val_labels import SIDE, thumbnails, votes_of
from imagelab.contracts import Inputs
from imagelab.data.arrays import Arrays
from imagelab.finding import Finding, grade

COMPARED, FEW = 64, 32  # images; with fewer, nothing fails
DISTANT, STRANGE = 0.36, 0.42  # share of other images that are closer than the original
MATCH = 0.7  # distance to the closest original, relative to the second closest, of images in another order
HELD = 512  # images in memory to compare by class
TAKEN, ERRORS = 0.3, 4.0  # share of a class that looks like one other only when augmented; standard errors
KNOWN = 0.5  # share of its own class in the neighbours by colour that leaves no doubt about a class
LEFT = 0.35  # share of the likeness to its own class that is left


def augmented_labels(subject: Subject) -> Finding:
    """An augmented image is still the one that its label belongs to."""
    if _not_alone(subject):
        return fact(None, "images are not augmented, or are mixed or in several views")
    batch = subject.training(COMPARED)
    own = subject.read("train", batch.index.numpy())
    ranks = {describe: rank(describe(batch.images), describe(own.images)) for describe in (_places, _colours)}
    describe = min(ranks, key=lambda one: ranks[one])
    closer = ranks[describe]
    moved = subject.task is not None and not torch.equal(batch.labels, own.labels)
    others = closer > STRANGE or moved
    why = "augmented images match their labels"
    fix = "look at the picture of the inputs, and weaken the augmentation"
    if moved or (others and _matched(_places(batch.images), _places(own.images))):
        why = "labels come with other images: the augmentation changes the order of the batch"
        fix = "keep the order of a batch; look at the picture of the inputs"
    elif others:
        why = "augmented images are not recognisable: the augmentation hides them"
    elif closer > DISTANT:
        why = "augmented images are hardly recognisable"
    return found(
        grade(fail=others and len(batch.labels) >= FEW, warn=closer > DISTANT),
        f"{closer:.0%} of other images are closer",
        expected=f"at most {DISTANT:.0%} of other images closer to an augmented image than its original; "
        f"FAIL above {STRANGE:.0%}; 50% if nothing of it is left",
        why=why,
        fix=fix if closer > DISTANT or others else "",
    )


def augmented_classes(subject: Subject) -> Finding:
    """Augmented images of a class do not look like those of one other class."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    if _not_alone(subject):
        return fact(None, "images are not augmented, or are mixed or in several views")
    batch = subject.training(HELD if isinstance(subject.data.splits["train"], Arrays) else COMPARED)
    own = subject.read("train", batch.index.numpy())
    before, after, values = (
        _shares(subject, one, describe)
        for one, describe in ((own, thumbnails), (batch, thumbnails), (batch, _values))
    )
    names = subject.data.classes
    labels = batch.labels.numpy()
    counts = np.bincount(labels, minlength=len(names))
    more = after - before
    more -= (more.sum(axis=0) - more) / max(1, len(names) - 1)  # what all classes gain is no likeness
    np.fill_diagonal(more, 0)
    more[TAKEN * np.sqrt(counts) < 0.5 * ERRORS] = 0  # too few images to be sure
    more[values.diagonal() > KNOWN] = 0  # a class that its colours tell may well change places
    here, there = np.argwhere(more == more.max())[0]
    shares = counts / counts.sum()
    chance, usual, kept = (float(shares @ one) for one in (shares, before.diagonal(), after.diagonal()))
    error = 2 * (chance * (1 - chance) / len(labels)) ** 0.5
    lost = usual > chance + 2 * error and kept + error < chance + LEFT * (usual - chance)
    taken = more[here, there] > TAKEN
    why = "augmented images look like those of their own class"
    if taken:
        why = f"{more[here, there]:.0%} more images of {names[here]} look like {names[there]} once augmented"
    elif lost:
        why = "augmented images hardly look like those of their own class any more"
    return found(
        grade(fail=taken, warn=lost),
        f"{kept:.0%} of the most similar images have the same label, {usual:.0%} without augmentation",
        expected=f"no class of which {TAKEN:.0%} more look like one other class; WARN if little is left",
        why=why,
        fix="leave out the augmentation that changes what the label says (such as turns of digits)"
        if taken or lost
        else "",
    )


def rank(seen: Tensor, own: Tensor) -> float:
    """The mean share of other images that are closer to an augmented image (B, F) than its own (B, F)."""
    apart = torch.cdist(seen, own)
    return float((apart < apart.diagonal()[:, None]).sum() / max(1, len(own) * (len(own) - 1)))


def _matched(seen: Tensor, own: Tensor) -> bool:
    """Whether most augmented images clearly are one of the originals, no matter which."""
    near = torch.cdist(seen, own).sort(dim=1).values[:, :2]
    return float((near[:, 0] < MATCH * near[:, 1]).float().mean()) > 0.5


def _not_alone(subject: Subject) -> bool:
    """Whether there are no augmented images that each stand for one image."""
    return bool(subject.data.mixing) or subject.data.views > 1 or not subject.cfg["augment"]


def _shares(subject: Subject, batch: Inputs, describe: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Labels (columns) of the training images most similar to images of each label (rows), shares (K, K)."""
    pixels, labels, places = subject.small["train"]
    seen = describe(subject.data.preprocess.denormalise(batch.images))
    away = torch.cdist(seen, describe(pixels))
    away[batch.index[:, None] == torch.from_numpy(places)] = torch.inf  # not the image itself
    table = votes_of(away, batch.labels.numpy(), labels, len(subject.data.classes))
    return table / table.sum(axis=1, keepdims=True).clip(1e-12)


def _places(images: Tensor) -> Tensor:
    return adaptive_avg_pool2d(images, SIDE).flatten(1)


def _values(images: Tensor) -> Tensor:
    """The values of each channel in order of size, (B, C * SIDE), which no turn, mirror or shift changes."""
    ordered = images.float().flatten(2).sort(dim=2).values
    return adaptive_avg_pool1d(ordered, SIDE).flatten(1)


def _colours(images: Tensor) -> Tensor:
    return torch.cat([images.mean(dim=(2, 3)), images.std(dim=(2, 3))], dim=1)
