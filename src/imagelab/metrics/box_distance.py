# room: detection, exporting
"""Measure how far two sets of detections of the same images are apart, whatever the order of near ties."""

import numpy as np

from imagelab.box_labels import CLASS, CORNERS, SCORE, there


def distance(found: np.ndarray, given: np.ndarray, side: int) -> float:
    """The largest difference of a score, or of a corner as a share of `side`, of rows that belong together.

    Args:
        found: Detections of N images, (N, D, 6), rows as in `box_labels`.
        given: Detections to compare with, (N, D, 6).
        side: Longer side of the images in pixels.

    Returns:
        The distance, >= 0; NaN if a number is. A row without a partner counts by how far its score is above
        the lowest of its image, since rounding may move the last row below the least score; an image in
        which only one of both finds something, by its best score.
    """
    if not (np.isfinite(found).all() and np.isfinite(given).all()):
        return float("nan")
    pairs = zip(found, given, strict=True)
    return max((_of_image(one[there(one)], other[there(other)], side) for one, other in pairs), default=0.0)


def _of_image(one: np.ndarray, other: np.ndarray, side: int) -> float:
    scores = np.concatenate([one[:, SCORE], other[:, SCORE]])
    if not (len(one) and len(other)):
        return float(scores.max(initial=0.0))
    unlike = np.abs(one[:, None] - other[None])
    unlike[..., CORNERS] /= side
    apart = np.where(unlike[..., CLASS] > 0, np.inf, unlike[..., 1:].max(axis=-1))
    nearest = np.concatenate([apart.min(axis=1), apart.min(axis=0)])
    return float(np.minimum(nearest, scores - scores.min()).max())
