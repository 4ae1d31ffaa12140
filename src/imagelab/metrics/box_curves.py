# room: detection
"""Compute precision and recall of boxes at an IoU of 0.5, and what each kind of error costs.

The cost of a kind is how much AP50 rises if an oracle fixes only these errors: a box in the wrong place or of
another class is set right, unless a surer one has been; other wrong boxes go; boxes that were missed do not
count.

Source: Bolya et al. 2020, TIDE, https://arxiv.org/abs/2008.08115, section 2.3; precision at 101 recalls as in
COCO, https://cocodataset.org/#detection-eval
"""

from typing import NamedTuple

import numpy as np

from imagelab.box_labels import CLASS, SCORE
from imagelab.metrics.box_errors import KINDS, LOCALISATION, MISSED, OTHER_CLASS, RIGHT, BoxErrors

RECALLS = np.linspace(0, 1, 101)


class BoxCurve(NamedTuple):
    """Precision and recall of a class, by falling score.

    label: Number of the class. boxes: Number of its true boxes. scores: (D,). recall: (D,). precision: (D,),
    the highest at this recall or a larger one. ap: Mean precision at 101 recalls.
    """

    label: int
    boxes: int
    scores: np.ndarray
    recall: np.ndarray
    precision: np.ndarray
    ap: float


def box_curves(errors: BoxErrors) -> list[BoxCurve]:
    """The curve of each class with a true box, in the order of the classes."""
    rights = errors.kinds == RIGHT
    return _curves(errors.rows[:, CLASS], errors.rows[:, SCORE], rights, errors.true_rows[:, CLASS])


def costs(errors: BoxErrors) -> dict[str, float]:
    """How much AP50 would be higher without the errors of each kind."""
    before = _ap(box_curves(errors))
    return {kind: _ap(_without(errors, kind)) - before for kind in KINDS}


def best_score(errors: BoxErrors) -> tuple[float, float]:
    """The score threshold with the highest F1 over all classes, and that F1."""
    order = np.argsort(-errors.rows[:, SCORE], kind="stable")
    scores = errors.rows[order, SCORE]
    right = errors.kinds[order] == RIGHT
    if not right.any():
        return 1.0, 0.0
    f1 = 2 * right.cumsum() / (np.arange(1, len(right) + 1) + len(errors.found))
    f1[:-1] *= scores[:-1] != scores[1:]  # detections of one score are taken together
    return float(scores[f1.argmax()]), float(f1.max())


def _without(errors: BoxErrors, kind: str) -> list[BoxCurve]:
    """The curves if the errors of a kind were fixed."""
    labels = errors.rows[:, CLASS].copy()
    rights = errors.kinds == RIGHT
    true = errors.true_rows[:, CLASS]
    if kind == MISSED:
        return _curves(labels, errors.rows[:, SCORE], rights, true[~errors.missed])
    wrong = errors.kinds == kind
    mended = _mended(errors) & wrong
    labels[mended] = true[errors.meant[mended]]
    rights |= mended
    kept = rights | ~wrong
    return _curves(labels[kept], errors.rows[kept, SCORE], rights[kept], true)


def _mended(errors: BoxErrors) -> np.ndarray:
    """Mark, (D,) bool, the detection with the highest score for each true box that none has found."""
    mended = np.zeros(len(errors.rows), dtype=bool)
    taken = errors.found.copy()
    nearly = np.isin(errors.kinds, (LOCALISATION, OTHER_CLASS))
    order = np.argsort(-errors.rows[:, SCORE], kind="stable")
    for place in order[nearly[order]]:
        if not taken[errors.meant[place]]:
            taken[errors.meant[place]] = mended[place] = True
    return mended


def _curves(labels: np.ndarray, scores: np.ndarray, rights: np.ndarray, true: np.ndarray) -> list[BoxCurve]:
    return [
        _curve(int(label), scores[labels == label], rights[labels == label], int((true == label).sum()))
        for label in np.unique(true)
    ]


def _curve(label: int, scores: np.ndarray, right: np.ndarray, boxes: int) -> BoxCurve:
    order = np.argsort(-scores, kind="stable")
    hits = right[order].cumsum()
    recall = hits / boxes
    precision = hits / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    reached = np.append(precision, 0.0)[places]
    return BoxCurve(label, boxes, scores[order], recall, precision, float(reached.mean()))


def _ap(curves: list[BoxCurve]) -> float:
    return float(np.mean([curve.ap for curve in curves])) if curves else 0.0
