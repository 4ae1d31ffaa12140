"""How many images does each class have in each split, and do the splits have the same classes?"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen
from imagelab.inspection.to_measure import to_measure
from imagelab.pages.charts import bars
from imagelab.pages.page import Section
from imagelab.pages.table import table
from imagelab.problem import nearest

Counts = Mapping[str, Mapping[str, int]]

IMBALANCED = 10.0  # ratio of the largest class to the smallest above which there is a warning
SHOWN = 60  # classes in the chart


def class_distribution(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Count images by class and split; report imbalance and missing classes."""
    images, readable = seen.images, seen.readable
    counts = {
        split: _counts(images.labels[readable & (images.splits == split)], images.classes)
        for split in images.parts
    }
    findings = [_totals(counts), _imbalance(counts), _same_names(counts), _enough(counts)]
    return Answer(findings=findings, sections=[_section(counts)])


def lacking(counts: Counts) -> dict[str, list[str]]:
    """Split -> classes of other splits that it lacks, each with the misspelt name that may be meant."""
    present = {split: {name for name, count in classes.items() if count} for split, classes in counts.items()}
    every = set().union(*present.values())
    found = {}
    for split, names in present.items():
        missing = sorted(every - names)
        odd = [name for name in names if not all(name in others for others in present.values())]
        if missing:
            found[split] = [name + _meant(name, odd) for name in missing]
    return found


def _meant(name: str, others: list[str]) -> str:
    folded = {other.casefold().strip(): other for other in others}
    same = folded.get(name.casefold().strip())
    return f"; did you mean {same!r}?" if same else nearest(name, others)


def _counts(labels: np.ndarray, classes: list[str]) -> dict[str, int]:
    return dict(zip(classes, np.bincount(labels, minlength=len(classes)).tolist(), strict=True))


def _totals(counts: Counts) -> Finding:
    return Finding(
        name="images by class and split",
        status="INFO",
        value={split: dict(classes) for split, classes in counts.items()},
        expected="",
        why=", ".join(f"{split} {sum(classes.values()):,}" for split, classes in counts.items()),
        fix="",
    )


def _imbalance(counts: Counts) -> Finding:
    train = {name: count for name, count in counts.get("train", {}).items() if count}
    ratio = max(train.values()) / min(train.values()) if train else 0.0
    far = ratio > IMBALANCED
    least = min(train, key=train.__getitem__) if train else ""
    return Finding(
        name="class imbalance",
        status=grade(warn=far, info=not train),
        value=round(ratio, 2) if train else None,
        expected=f"largest class of train / smallest <= {IMBALANCED:g}",
        why=f"the smallest class of train is {least} with {train[least]:,}"
        if train
        else "train has no image that can be read",
        fix="loss.weight=balanced, or auto, lets rare classes count for more, data.balance=true draws them "
        "more often; judge by accuracy_macro"
        if far
        else "",
    )


def _same_names(counts: Counts) -> Finding:
    found = lacking(counts)
    return Finding(
        name="same classes in every split",
        status="FAIL" if found else "OK",
        value={f"{split} lacks": names for split, names in found.items()} or "yes",
        expected="each class in each split, under one name",
        why="classes are numbered once, by name, so no label shifts; but a class that a split lacks is never "
        "learnt or never measured"
        if found
        else "",
        fix="add the images, fix the folder's name, or choose classes with data.classes=[...]"
        if found
        else "",
    )


def _enough(counts: Counts) -> Finding:
    """Classes that a split lacks are named by `_same_names`."""
    held_out = {split: np.array([*classes.values()]) for split, classes in counts.items() if split != "train"}
    return to_measure(held_out, [*next(iter(counts.values()))], every=False)


def _section(counts: Counts) -> Section:
    classes = list(next(iter(counts.values())))
    groups = {
        name: {split: float(numbers[name]) for split, numbers in counts.items()} for name in classes[:SHOWN]
    }
    rows = [[name, *(numbers[name] for numbers in counts.values())] for name in classes]
    more = f" The chart shows the first {SHOWN} of {len(classes)} classes." if len(classes) > SHOWN else ""
    about = "Readable images of each class, in the splits that training would use." + more
    chart = bars(groups, title="images by class", y_label="images")
    return Section("Classes", about, chart + table(["class", *counts], rows))
