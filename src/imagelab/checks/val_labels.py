"""Do images of val have the labels of similar training images?

The labels of each image's nearest training images are counted, for images of val and, each left out in turn,
of train. If val and train use the same classes, each class has the same neighbours in both. The check fails
if another assignment of classes explains the neighbours in val far better; a few images never suffice.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from imagelab.checks.findings import NAMED, NO_CLASSES, fact, found
from imagelab.checks.subject import Subject
from imagelab.finding import Finding
from imagelab.problem import some_of

NEIGHBOURS = 5
SIDE = 8  # pixels of a thumbnail
LITTLE, CLEAR, PER_CLASS = 6.0, 10.0, 2.0  # nats of evidence


def val_labels(subject: Subject) -> Finding:
    """Images of val and test have the same labels as similar training images."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    others = [split for split in subject.small if split != "train"]
    findings = [_labels_of(subject, split) for split in others]
    return next((one for one in findings if one.status == "FAIL"), findings[others.index("val")])


def _labels_of(subject: Subject, split: str) -> Finding:
    names = subject.data.classes
    (train, labels, _), (images, own, _) = (subject.small[one] for one in ("train", split))
    known = votes(train, labels, train, labels, len(names), itself=True)
    seen = votes(images, own, train, labels, len(names), itself=False)
    expected = f"the neighbours that the class has in train; FAIL if others are e^{CLEAR:g} times as likely"
    fits, usual = evidence(seen, known), evidence(known, known)
    if np.trace(usual) * seen.sum() / max(1.0, known.sum()) < LITTLE:
        why = f"{len(own)} images of {split} are too few, or too unlike one another, to compare labels"
        return fact(None, why)
    fix = "compare class names and their order; use one list for all splits"
    if moved := renamed(seen, fits):
        words = [f"{names[here]} like {names[there]}" for here, there in moved]
        why = f"these classes of {split} are different classes in train"
        return found("FAIL", some_of(words, NAMED), expected=expected, why=why, fix=fix)
    value = f"{_own(seen):.0%} of similar training images have the same label, {_own(known):.0%} within train"
    chance = float(seen.sum(axis=0) @ seen.sum(axis=1) / seen.sum())
    if np.trace(fits) < -CLEAR and np.trace(seen) < chance + 3 * chance**0.5:
        why = f"similar training images have other labels: the labels of {split} are shifted or shuffled"
        return found("FAIL", value, expected=expected, why=why, fix=fix)
    return found("OK", value, expected=expected, why="labels mean the same classes in all splits")


def votes(
    images: Tensor, own: np.ndarray, among: Tensor, labels: np.ndarray, classes: int, *, itself: bool
) -> np.ndarray:
    """Labels (columns) of the images most similar to those of each label (rows): (K, K), one vote per image.

    Args:
        images: Images (N, C, H, W) uint8 to find the neighbours of.
        own: Their labels, (N,).
        among: Images (M, C, H, W) uint8 to find them among.
        labels: Their labels, (M,).
        classes: Number of classes, K.
        itself: Whether both are the same images, so that each is its own nearest one.
    """
    away = torch.cdist(thumbnails(images), thumbnails(among))
    if itself:
        away.fill_diagonal_(torch.inf)
    return votes_of(away, own, labels, classes)


def votes_of(away: Tensor, own: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Votes (K, K) of images with labels `own` (N,), from distances (N, M) to images with `labels` (M,)."""
    count = min(NEIGHBOURS, away.shape[1] - 1)
    near = away.topk(count, largest=False).indices.numpy()
    table = np.zeros((classes, classes))
    np.add.at(table, (np.repeat(own, count), labels[near].ravel()), 1 / max(1, count))
    return table


def evidence(seen: np.ndarray, known: np.ndarray) -> np.ndarray:
    """By how many nats each class (columns) explains the votes of a label (rows) better than no class does.

    Args:
        seen: Votes (K, K) of the images to explain.
        known: Votes (K, K) of the training images.
    """
    usual = known.sum(axis=0) / known.sum()
    smooth = known + len(known) * usual
    shares = smooth / smooth.sum(axis=1, keepdims=True).clip(1e-12)
    drawn = seen.sum(axis=0) / max(1e-12, seen.sum())  # another mixture of images: not a matter of labels
    shares = shares * np.divide(drawn, usual, out=np.zeros_like(drawn), where=usual > 0)
    shares /= shares.sum(axis=1, keepdims=True).clip(1e-12)
    return seen @ np.log(shares.clip(1e-12) / drawn.clip(1e-12)).T


def renamed(seen: np.ndarray, fits: np.ndarray) -> list[tuple[int, int]]:
    """Classes of val that clearly are another class in train: (label in val, in train).

    >>> known = np.array([[50.0, 5, 5], [5, 50, 5], [5, 5, 50]])
    >>> seen = known[[0, 2, 1]]
    >>> renamed(seen, evidence(seen, known))
    [(1, 2), (2, 1)]
    """
    becomes = linear_sum_assignment(-fits)[1]
    shares = seen / seen.sum(axis=1, keepdims=True).clip(1e-12)
    left = {here for here, there in enumerate(becomes) if here != there}
    moved: list[tuple[int, int]] = []
    while left:
        ring = [min(left)]
        while (there := int(becomes[ring[-1]])) != ring[0]:
            ring.append(there)
        left -= set(ring)
        pairs = [(here, int(becomes[here])) for here in ring]
        good = sum(fits[here, there] for here, there in pairs)
        gain = good - sum(fits[here, here] for here in ring)
        like = sum(shares[here, there] - shares[there, there] for here, there in pairs) > 0
        if min(good + PER_CLASS * len(ring), gain) > CLEAR + PER_CLASS * len(ring) and like:
            moved += [(here, there) for here, there in pairs if seen[here].any()]
    return sorted(moved)


def _own(table: np.ndarray) -> float:
    return float(np.trace(table) / table.sum())


def thumbnails(pixels: Tensor) -> Tensor:
    """Images (N, C, H, W) with values from 0 to 255 as features, (N, C * SIDE^2)."""
    return functional.adaptive_avg_pool2d(pixels.float(), SIDE).flatten(1)
