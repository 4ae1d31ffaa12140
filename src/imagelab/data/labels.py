"""Tell kinds of labels apart (one class per image, several, values, boxes); refuse what does not fit."""

from collections import Counter  # room: detection
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from imagelab.box_labels import presence, there  # room: detection
from imagelab.contracts import Images, Source
from imagelab.problem import Problem

SEPARATOR = "|"  # between several classes in words
Kind = Literal["class", "multilabel", "values", "boxes"]
WORDS = {
    "class": "one class per image",
    "multilabel": "several classes per image",
    "values": "values",
    "boxes": "boxes",  # room: detection
}
SEVERAL = ("multilabel", "values")
SHAPES = {
    "class": "(N,) int64",
    "multilabel": "(N, K) bool",
    "values": "(N, V) float32",
    "boxes": "(N, M, 6) float32",  # room: detection
}


def kind_of(labels: np.ndarray) -> Kind:
    """The kind of labels by their shape and type (`contracts.Images`).

    >>> kind_of(np.array([0, 1])), kind_of(np.eye(2, dtype=bool)), kind_of(np.zeros((2, 1), np.float32))
    ('class', 'multilabel', 'values')

    Raises:
        Problem: They are of no kind.
    """
    kinds: dict[tuple[int, str], Kind] = {
        (1, "i"): "class",
        (1, "u"): "class",
        (2, "b"): "multilabel",
        (2, "f"): "values",
        (3, "f"): "boxes",  # room: detection
    }
    kind = kinds.get((labels.ndim, labels.dtype.kind))
    if kind is None:
        wanted = " or ".join(SHAPES.values())
        raise Problem(f"data: labels must be {wanted}, got {labels.shape} {labels.dtype}")
    return kind


def refuse_other_labels(splits: Mapping[str, Images], takes: str, *, task: str) -> None:
    """Raise a Problem if a data set has other labels than a task takes.

    Args:
        splits: Splits of the data set.
        takes: Kind of labels that the task takes; empty: none, so that any will do.
        task: Name of the task, for the sentence.
    """
    for split, images in splits.items():
        kind = kind_of(images.labels)
        if takes not in ("", kind):
            raise Problem(
                f"data: task={task} takes {WORDS[takes]}, and the labels of {split} are {WORDS[kind]} "
                f"({images.labels.dtype}, {images.labels.shape}); say another task or another data set"
            )


def refuse_non_finite(source: Source) -> None:
    """Raise a Problem if a value of an image is NaN or infinite."""
    for split, images in source.splits.items():
        labels = images.labels
        if kind_of(labels) == "values" and not np.isfinite(labels).all():
            places, columns = np.nonzero(~np.isfinite(labels))
            first = places[0]
            name = source.classes[columns[0]]
            more = f", like {len(places) - 1:,} more values" if len(places) > 1 else ""
            raise Problem(
                f"data: {name} of {split}/{first} is {labels[first, columns[0]]}{more}; "
                "correct them, or leave those images out"
            )


def classes_of(label: np.ndarray) -> list[int]:
    """The classes of one label; values have none.

    >>> classes_of(np.array(3)), classes_of(np.array([True, False, True])), classes_of(np.array([0.5]))
    ([3], [0, 2], [])
    """
    if label.ndim == 0:
        return [int(label)]
    if label.ndim == 2:  # room: detection
        return np.flatnonzero(presence(label[None])[0]).tolist()
    return np.flatnonzero(label).tolist() if label.dtype.kind == "b" else []


def in_words(label: Any, classes: list[str]) -> str:
    """A label in words: its class, its classes, or its values.

    >>> classes = ["ant", "bee"]
    >>> in_words(np.int64(1), classes), in_words(np.array([True, True]), classes)
    ('bee', 'ant|bee')
    >>> in_words(np.array([0.5, 12.0]), classes)
    'ant 0.5, bee 12'
    """
    label = np.asarray(label)
    if label.ndim == 0:
        return classes[label]
    if label.ndim == 2:  # room: detection
        return _boxes_in_words(label, classes)
    pairs = [*zip(classes, label.tolist(), strict=True)]
    if label.dtype.kind == "b":
        return SEPARATOR.join(name for name, there in pairs if there)
    return ", ".join(f"{name} {value:.4g}" for name, value in pairs)


def _boxes_in_words(label: np.ndarray, classes: list[str]) -> str:  # room: detection
    """The number of boxes of each class: `2 ant, 1 bee`."""
    counts = Counter(label[there(label), 0].astype(int).tolist())
    return ", ".join(f"{count} {classes[name]}" for name, count in sorted(counts.items())) or "no boxes"


def refuse_all_but_classes(labels: np.ndarray, key: str) -> None:
    """Raise a Problem if something needs one class per image, and these labels are of another kind.

    Args:
        labels: Labels of a split.
        key: What needs classes: a key or a command, as the user types it.
    """
    kind = kind_of(labels)
    if kind != "class":
        raise Problem(f"{key}: needs one class per image, and these labels are {WORDS[kind]}; leave it out")


def strata(labels: np.ndarray) -> np.ndarray:
    """What splits are stratified by, (N,) int64: the classes; all images alike if they have no single one.

    >>> strata(np.array([2, 0])).tolist(), strata(np.zeros((2, 3), np.float32)).tolist()
    ([2, 0], [0, 0])
    """
    return labels if kind_of(labels) == "class" else np.zeros(len(labels), dtype=np.int64)


def co_occurrence(tags: np.ndarray) -> np.ndarray:
    """The number of images with both classes, (K, K), of labels (N, K) bool."""
    return tags.T.astype(int) @ tags.astype(int)
