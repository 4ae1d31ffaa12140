"""How many images does each of several classes have in each split, and which classes go together?"""

from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.data.labels import co_occurrence
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen
from imagelab.inspection.to_measure import to_measure
from imagelab.pages.charts import bars, matrix
from imagelab.pages.page import Section
from imagelab.pages.table import table
from imagelab.problem import some_of

RARE = 0.01  # share of the images of train below which a class is rare
SHOWN = 30  # classes in a chart
SAME = 0.99  # share of their images that two classes have in common, above which they are one


def tag_distribution(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Count the images of each class by split; report rare classes, and pairs that always go together."""
    images, readable = seen.images, seen.readable
    parts = {split: images.labels[readable & (images.splits == split)] for split in images.parts}
    counts = {split: tags.sum(axis=0) for split, tags in parts.items()}
    findings = [
        _totals(images.classes, parts),
        _rare(images.classes, parts),
        to_measure(counts, images.classes),
    ]
    findings.append(_same(images.classes, images.labels[readable]))
    return Answer(
        findings=findings, sections=[_section(images.classes, counts), _pairs(images.classes, parts)]
    )


def _totals(classes: list[str], parts: dict[str, np.ndarray]) -> Finding:
    every = np.concatenate([*parts.values()]).sum(axis=1)
    bare = int((every == 0).sum())
    mean = float(every.mean()) if len(every) else 0.0
    return Finding(
        name="images by class and split",
        status="INFO",
        value={s: dict(zip(classes, tags.sum(axis=0).tolist(), strict=True)) for s, tags in parts.items()},
        expected="",
        why=f"{mean:.2f} classes per image; {bare:,} of {len(every):,} images have none",
        fix="",
    )


def _rare(classes: list[str], parts: dict[str, np.ndarray]) -> Finding:
    train = parts.get("train", np.zeros((0, len(classes)), dtype=bool))
    shares = train.mean(axis=0) if len(train) else np.zeros(len(classes))
    rare = [f"{classes[k]} ({shares[k]:.2%})" for k in np.argsort(shares) if shares[k] < RARE]
    return Finding(
        name="rare classes",
        status=grade(warn=rare),
        value=some_of(rare) if rare else "none",
        expected=f"each class on {RARE:.0%} of the images of train or more",
        why="a network gains little by ever predicting such a class" if rare else "",
        fix="loss.weight=balanced lets rare classes count for more; judge by ap_macro" if rare else "",
    )


def _same(classes: list[str], tags: np.ndarray) -> Finding:
    both = co_occurrence(tags)
    either = both.diagonal()[:, None] + both.diagonal() - both
    alike = np.triu(both > SAME * np.maximum(either, 1), k=1)
    pairs = [f"{classes[i]} and {classes[j]}" for i, j in np.argwhere(alike)]
    return Finding(
        name="classes that always go together",
        status=grade(warn=pairs),
        value=some_of(pairs) if pairs else "none",
        expected=f"no two classes with {SAME:.0%} of their images in common",
        why="such classes are one: no image tells them apart" if pairs else "",
        fix="leave one out" if pairs else "",
    )


def _section(classes: list[str], counts: dict[str, np.ndarray]) -> Section:
    heights = {
        name: {split: float(found[k]) for split, found in counts.items()}
        for k, name in enumerate(classes[:SHOWN])
    }
    rows = [[name, *(int(found[k]) for found in counts.values())] for k, name in enumerate(classes)]
    about = "Readable images of each class, in the splits that training would use; an image may have several."
    chart = bars(heights, title="images by class", y_label="images")
    return Section("Classes", about, chart + table(["class", *counts], rows))


def _pairs(classes: list[str], parts: dict[str, np.ndarray]) -> Section:
    both = co_occurrence(np.concatenate([*parts.values()]))
    part = np.sort(np.argsort(-both.diagonal(), kind="stable")[:SHOWN])
    chart = matrix(
        both[np.ix_(part, part)], [classes[k] for k in part], title="Images", rows="class", columns="also"
    )
    return Section("Which classes go together", "The number of images that have both classes.", chart)
