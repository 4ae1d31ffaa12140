"""Are labels in range, related to the content of the images, and the same classes in every split?"""

import numpy as np

from imagelab.checks.findings import NAMED, NO_CLASSES, fact, found
from imagelab.checks.subject import Subject
from imagelab.data.label_signal import label_signal, signal_finding
from imagelab.finding import Finding, grade
from imagelab.problem import some_of

FEW = 10  # images per class: if data.limit leaves fewer, a class may go missing
IMBALANCED = 10.0  # ratio of the largest class to the smallest above which weights are proposed
EVEN_OUT = "loss.weight=balanced, or auto, lets rare classes count for more; judge by accuracy_macro"
CLEAR = 8.0  # z of the training labels from which val must agree, too
VOTES, MOSTLY, HARDLY = 25, 0.6, 0.1  # least votes of a class; shares of votes for another, for its own
FIRST, SOME = 0.5, 0.75  # of the best agreement between neighbours: below, labels have been moved


def classes_and_labels(subject: Subject) -> Finding:
    """Every label names a class, and every class has images."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    names, expected = subject.data.classes, "labels from 0 to K - 1, and training images of every class"
    for split, images in subject.data.splits.items():
        low, high = int(images.labels.min()), int(images.labels.max())
        if low < 0 or high >= len(names):
            return found(
                "FAIL",
                f"{split}: {low} to {high}",
                expected=f"0 to {len(names) - 1}",
                why=f"labels of {split} name classes that do not exist",
                fix="count classes from 0: the first class has label 0",
            )
    counts = {
        split: np.bincount(images.labels, minlength=len(names))
        for split, images in subject.data.splits.items()
    }
    missing = [name for name, count in zip(names, counts["train"], strict=True) if not count]
    if missing:
        first = names[0] in missing and len(missing) == 1
        return found(
            "WARN" if (subject.cfg["data"]["limit"] or FEW * len(names)) < FEW * len(names) else "FAIL",
            f"without training images: {some_of(missing, NAMED)}",
            expected=expected,
            why="these classes cannot be learnt" + "; are labels counted from 1?" * first,
            fix="leave these classes out (data.classes=[...]), or fix how labels are made",
        )
    return _shares(subject, counts, expected)


def _shares(subject: Subject, counts: dict[str, np.ndarray], expected: str) -> Finding:
    """Whether every class is in val, and whether one is many times another and nothing evens it out."""
    names, train = subject.data.classes, counts["train"]
    few = [name for name, count in zip(names, counts["val"], strict=True) if not count]
    ratio = train.max() / train.min()
    evened = subject.data.balance or subject.cfg["loss"].get("weight") is not None
    uneven = bool(ratio > IMBALANCED) and not evened
    fixes = ["put every class into val (data.val_fraction): metrics ignore the others"] * bool(few)
    fixes += [EVEN_OUT] * uneven
    absent = f"not in val: {some_of(few, NAMED)}" if few else ""
    return found(
        grade(warn=bool(few), info=uneven),
        f"{len(names)} classes, {train.min():,} to {train.max():,} training images each",
        expected=expected,
        why=absent or f"the largest class is {ratio:.3g} times the smallest",
        fix="; ".join(fixes),
    )


def labels_follow_images(subject: Subject) -> Finding:
    """Similar images share their labels more often than by chance."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    pixels, labels, _ = subject.small["train"]
    return signal_finding(_signal(subject), min(len(labels), len(pixels)))


def val_labels(subject: Subject) -> Finding:
    """Images of val have the same labels as similar training images."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    z = _signal(subject)
    if z < CLEAR:
        return fact(round(z, 2), "similarity says too little about these labels to compare the splits")
    votes = _votes(subject)
    share, moved_classes = agreement(votes), renamed(votes)
    if share >= FIRST and moved_classes:
        names = [
            f"{subject.data.classes[here]} like {subject.data.classes[there]}"
            for here, there in moved_classes
        ]
        return found(
            "FAIL",
            some_of(names, NAMED),
            expected="images of val that look like those of their own class in train",
            why="these classes of val are different classes in train",
            fix="compare class names and their order; use one list for both splits",
        )
    status = grade(fail=share < FIRST, warn=share < SOME)
    moved = "similar training images have other labels: the labels of val are shifted or shuffled"
    return found(
        status,
        round(share, 3),
        expected=f">= {SOME:g} of the agreement under the best renaming of classes; FAIL below {FIRST:g}",
        why="labels mean the same classes in val and train" if status == "OK" else moved,
        fix="" if status == "OK" else "compare class names and their order; use one list for both splits",
    )


def agreement(votes: np.ndarray) -> float:
    """Votes (K, K), a row per label of val, for that label, relative to the best renaming of classes.

    Both counts are corrected for chance agreement.
    """
    chance = (votes.sum(0) * votes.sum(1)).sum() / votes.sum()
    best = votes[_best(votes)].sum() - chance
    return float((np.trace(votes) - chance) / best) if best > 0 else 1.0


def renamed(votes: np.ndarray) -> list[tuple[int, int]]:
    """Classes of val that clearly are another class in train, two at least: (label in val, in train).

    >>> renamed(np.array([[50, 0, 0], [1, 2, 47], [0, 50, 0]]))
    [(1, 2), (2, 1)]
    """
    shares = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    pairs = [
        (here, there)
        for here, there in np.transpose(_best(votes)).tolist()
        if votes[here].sum() >= VOTES and shares[here, there] > MOSTLY and shares[here, here] < HARDLY
    ]
    return pairs if len(pairs) > 1 else []


def _best(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The renaming of classes with the most votes: labels, and the new label of each."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(-votes)


def _votes(subject: Subject) -> np.ndarray:
    """Labels (columns) of the nearest training images of each label's (row) images of val: counts (K, K)."""
    import torch
    from torch.nn import functional

    features = [
        functional.adaptive_avg_pool2d(subject.small[split][0].float(), 8).flatten(1)
        for split in ("train", "val")
    ]
    near = torch.cdist(features[1], features[0]).topk(min(5, len(features[0])), largest=False).indices.numpy()
    classes = len(subject.data.classes)
    votes = np.zeros((classes, classes))
    here, there = subject.small["val"][1], subject.small["train"][1]
    np.add.at(votes, (np.repeat(here, near.shape[1]), there[near].ravel()), 1)
    return votes


def _signal(subject: Subject) -> float:
    if "signal" not in subject.pictures:
        pixels, labels, _ = subject.small["train"]
        subject.pictures["signal"] = label_signal(pixels, labels, seed=subject.data.seed)
    return subject.pictures["signal"]
