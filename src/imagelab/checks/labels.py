"""Are labels in range, does every class have images, and do similar images share their labels?"""

import numpy as np

from imagelab.checks.findings import NAMED, NO_CLASSES, fact, found
from imagelab.checks.subject import Subject
from imagelab.config.monitor import monitored
from imagelab.data.label_signal import label_signal, signal_finding
from imagelab.finding import Finding, grade
from imagelab.metrics.table import ACCURACY
from imagelab.problem import some_of

FEW = 10  # images per class: if data.limit leaves fewer, a class may go missing
IMBALANCED = 10.0  # ratio of the largest class to the smallest above which weights are proposed
MAJORITY = 0.8  # share of the largest class above which accuracy says little
EVEN_OUT = "loss.weight=balanced, or auto, lets rare classes count for more; judge by accuracy_macro"


def classes_and_labels(subject: Subject) -> Finding:
    """Every label names a class, and every class has images."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    names = subject.data.classes
    expected = "labels from 0 to K - 1, and training images of every class"
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
    names = subject.data.classes
    train = counts["train"]
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
    z = label_signal(pixels, labels, seed=subject.data.seed)
    return signal_finding(z, len(labels), beside=bool(subject.data.signals))


def majority(subject: Subject) -> Finding:
    """The monitored metric is not one that the largest class alone brings near 1."""
    if subject.task is None:
        return fact(None, NO_CLASSES)
    counts = np.bincount(subject.data.splits["val"].labels.clip(0), minlength=len(subject.data.classes))
    share = counts.max() / counts.sum()
    name = subject.data.classes[int(counts.argsort()[-1])]
    monitor = monitored(subject.cfg)
    blind = monitor == f"val/{ACCURACY}" and share > MAJORITY
    return found(
        "WARN" if blind else "OK",
        f"{share:.0%} accuracy by always saying {name}",
        expected=f"at most {MAJORITY:.0%}, or another metric as the monitor",
        why=f"an accuracy of {share:.0%} takes no learning, so {monitor} says little"
        if blind
        else f"{monitor} is judged against a share of {share:.0%}",
        fix="set monitor=val/accuracy_macro, or val/f1_macro" if blind else "",
    )
