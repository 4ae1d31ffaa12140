# room: detection
"""Match detections with true boxes, and classify the errors of those that match none.

Detections are matched as in COCO, in order of falling score: each with the free true box of its class that it
overlaps most, if their IoU is at least 0.5.

Source: Bolya et al. 2020, TIDE, https://arxiv.org/abs/2008.08115, section 2: kinds and thresholds. If several
kinds fit, the first of the order in its code counts: localisation, class, duplicate, background, both.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_iou

from imagelab.box_labels import CLASS, CORNERS, SCORE, there

RIGHT, MISSED = "right", "missed"
LOCALISATION, OTHER_CLASS, BOTH = "localisation", "class", "both"
DUPLICATE, BACKGROUND = "duplicate", "background"
KINDS = (LOCALISATION, OTHER_CLASS, BOTH, DUPLICATE, BACKGROUND, MISSED)
FOUND = 0.5  # IoU from which a box is found
TOUCHED = 0.1  # IoU from which a detection means an object rather than background


@dataclass(frozen=True, kw_only=True)
class BoxErrors:
    """The D detections and T true boxes of a split, matched; rows as in `box_labels`.

    Args:
        rows: Detections, (D, 6).
        images: Image of each detection, (D,) int64.
        kinds: `RIGHT`, or the kind of error of each detection, (D,) str.
        meant: True box that each detection found, or would have if it were better; else -1, (D,) int64.
        overlaps: IoU of each detection with the true box of any class that it overlaps most, (D,) float.
        true_rows: True boxes, (T, 6).
        true_images: Image of each true box, (T,) int64.
        found: Which true boxes a detection found, (T,) bool.
        missed: Which no detection found, not even nearly or with another class, (T,) bool.
    """

    rows: np.ndarray
    images: np.ndarray
    kinds: np.ndarray
    meant: np.ndarray
    overlaps: np.ndarray
    true_rows: np.ndarray
    true_images: np.ndarray
    found: np.ndarray
    missed: np.ndarray

    def counts(self, least: float = 0.0) -> dict[str, int]:
        """Count the errors of each kind among detections with at least this score, and all missed boxes."""
        shown = self.kinds[self.rows[:, SCORE] >= least]
        counts = {kind: int((shown == kind).sum()) for kind in KINDS}
        return counts | {MISSED: int(self.missed.sum())}


def box_errors(rows: np.ndarray, labels: np.ndarray) -> BoxErrors:
    """Match the detections of each image with its true boxes.

    Args:
        rows: Detections of N images, (N, D, 6).
        labels: Their true boxes, (N, M, 6).
    """
    first = 0
    parts: list[tuple[np.ndarray, ...]] = []
    for own, true in zip(rows, labels, strict=True):
        own, true = own[there(own)], true[there(true)]
        own = own[np.argsort(-own[:, SCORE], kind="stable")]
        kinds, meant, overlaps = _of_image(own, true)
        parts.append((own, kinds, np.where(meant >= 0, meant + first, -1), overlaps, true))
        first += len(true)
    own, kinds, meant, overlaps, true = (np.concatenate(part) for part in zip(*parts, strict=True))
    found, covered = np.zeros((2, len(true)), dtype=bool)
    found[meant[kinds == RIGHT]] = True
    covered[meant[(kinds == LOCALISATION) | (kinds == OTHER_CLASS)]] = True
    return BoxErrors(
        rows=own,
        images=np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts]),
        kinds=kinds,
        meant=meant,
        overlaps=overlaps,
        true_rows=true,
        true_images=np.repeat(np.arange(len(parts)), [len(part[4]) for part in parts]),
        found=found,
        missed=~found & ~covered,
    )


def _of_image(rows: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kinds, true boxes meant and overlaps, each (D,), of an image's detections, highest score first."""
    kinds = np.full(len(rows), BACKGROUND, dtype="U12")
    meant = np.full(len(rows), -1)
    if not len(true) or not len(rows):
        return kinds, meant, np.zeros(len(rows))
    one, other = (torch.from_numpy(part[:, CORNERS].astype(float)) for part in (rows, true))
    overlaps = box_iou(one, other).nan_to_num().numpy()
    alike = rows[:, None, CLASS] == true[None, :, CLASS]
    taken = np.zeros(len(true), dtype=bool)
    for place, (own, same) in enumerate(zip(overlaps, alike, strict=True)):
        free = np.where(same & ~taken, own, 0.0)
        if free.max() >= FOUND:
            kinds[place], meant[place] = RIGHT, free.argmax()
            taken[meant[place]] = True
    for place in np.flatnonzero(kinds != RIGHT):
        kinds[place], meant[place] = _kind(overlaps[place], alike[place], taken)
    return kinds, meant, overlaps.max(axis=1)


def _kind(overlaps: np.ndarray, alike: np.ndarray, taken: np.ndarray) -> tuple[str, int]:
    """The kind of error of a detection, and the true box that it means, from its IoU with each, (M,)."""
    own, other = np.where(alike, overlaps, 0.0), np.where(alike, 0.0, overlaps)
    if TOUCHED <= own.max() <= FOUND:
        return LOCALISATION, int(own.argmax())
    if other.max() >= FOUND:
        return OTHER_CLASS, int(other.argmax())
    if np.where(taken, own, 0.0).max() >= FOUND:
        return DUPLICATE, -1
    return (BACKGROUND if overlaps.max() <= TOUCHED else BOTH), -1
