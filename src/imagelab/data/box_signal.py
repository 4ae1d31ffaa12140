# room: detection
"""Test whether boxes frame something, and whether they would frame more if read in another way.

The inside of a box differs from its surroundings, in colour or texture, more than the same places of other
images do. The statistic is that difference, image by image, in standard errors. It is lost if corners are in
another order, or if boxes were not mirrored with their image, and comes back when read the right way.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from imagelab.box_labels import CORNERS, there
from imagelab.finding import Finding, grade

MOST = 200  # images: more add little
SHIFTS = 3  # other images that each image's boxes are laid on
RING = 0.25  # width of what is around a box, in its sides
CLEAR = 6.0  # standard errors from which boxes frame something
BEATS = 5.0  # standard errors by which another way of reading them must be better
TIMES = 1.5  # and how many times the difference itself
WEAK = 4.0  # standard errors below which boxes may belong to other images
FEWEST = 20  # images with boxes: fewer tell nothing

Way = Callable[[np.ndarray, float, float], np.ndarray]
"""Corners (n, 4) as given, width and height of the image in pixels -> corners as they may be meant."""


def _columns(*order: int) -> Way:
    return lambda boxes, width, height: boxes[:, list(order)]


WAYS: dict[str, Way] = {
    "left, top, right, bottom": _columns(0, 1, 2, 3),
    "top, left, bottom, right": _columns(1, 0, 3, 2),
    "left, top, width, height": lambda boxes, w, h: np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]),
    "middle, width, height": lambda boxes, w, h: np.hstack(
        [boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2]
    ),
    "shares of width and height": lambda boxes, w, h: boxes * [w, h, w, h],
    "mirrored": lambda boxes, w, h: np.column_stack(
        [w - boxes[:, 2], boxes[:, 1], w - boxes[:, 0], boxes[:, 3]]
    ),
    "upside down": lambda boxes, w, h: np.column_stack(
        [boxes[:, 0], h - boxes[:, 3], boxes[:, 2], h - boxes[:, 1]]
    ),
}
RESIZED = "boxes of images of another size"
SHARES, SMALLER = 0.1, 0.9  # of width or height that all boxes stay within: less are shares, more is usual
GIVEN = "left, top, right, bottom"
FIXES = {
    "mirrored": "images were mirrored without their boxes, or boxes without their images",
    RESIZED: "boxes reach to the border of a smaller image only; scale them as their images are",
    "upside down": "boxes seem to be counted from the bottom of the image; count from the top",
}


class Signal(NamedTuple):
    """How much more boxes frame than at other places, in standard errors (z), and in deviations of pixels."""

    z: float
    gain: float


def box_signals(images: np.ndarray, labels: np.ndarray, sizes: np.ndarray) -> dict[str, Signal]:
    """How much boxes frame, for each way of reading them; empty with fewer than 20 images with boxes.

    Args:
        images: (N, S, S, C) uint8, each image from the top left corner on, the rest grey.
        labels: (N, M, 6), in pixels of these.
        sizes: (N, 2), width and height of each image in the square.
    """
    kept = np.flatnonzero(there(labels).any(axis=1))[:MOST]
    if len(kept) < FEWEST:
        return {}
    sums = [_sums(images[place]) for place in kept]
    boxes = [labels[place][there(labels[place])][:, CORNERS].astype(float) for place in kept]
    found = {}
    for name, way in (WAYS | _resized(boxes, sizes[kept])).items():
        read = [way(own, *sizes[place]) for own, place in zip(boxes, kept, strict=True)]
        found[name] = _signal(sums, read)
    return found


def _resized(boxes: list[np.ndarray], sizes: np.ndarray) -> dict[str, Way]:
    """If no box (n, 4) comes near the border, the reading that takes them for boxes of smaller images."""
    ends = [own[:, 2:].max(axis=0) / size for own, size in zip(boxes, sizes, strict=True)]
    across, down = np.max(ends, axis=0)
    if not SHARES < min(across, down) <= SMALLER:
        return {}
    return {RESIZED: lambda boxes, width, height: boxes / [across, down, across, down]}


def better_way(signals: dict[str, Signal]) -> str:
    """The way of reading boxes that frames clearly more than the given one; "" if there is none."""
    given = signals[GIVEN]
    best = max(signals, key=lambda name: signals[name].z)
    z, gain = signals[best]
    sure = z > CLEAR and z > given.z + BEATS and gain > TIMES * max(given.gain, 0)
    return best if sure else ""


def _signal(sums: list[np.ndarray], boxes: list[np.ndarray]) -> Signal:
    gains = []
    for place, own in enumerate(boxes):
        here = _difference(sums[place], own)
        others = [_difference(sums[(place + shift) % len(sums)], own) for shift in range(1, SHIFTS + 1)]
        if not np.isnan(here) and not np.isnan(others).all():
            gains.append(here - float(np.nanmean(others)))
    if len(gains) < FEWEST:
        return Signal(0.0, 0.0)
    error = float(np.std(gains)) / len(gains) ** 0.5
    return Signal(float(np.mean(gains)) / max(error, 1e-9), float(np.mean(gains)))


def _sums(image: np.ndarray) -> np.ndarray:
    """Sums of colours and of their steps above and left of each corner, (S + 1, S + 1, F), standardised."""
    pixels = image.astype(float)
    grey = pixels.mean(axis=2)
    steps = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(
        np.diff(grey, axis=1, append=grey[:, -1:])
    )
    features = np.dstack([pixels, steps])
    features -= features.mean(axis=(0, 1))
    features /= np.maximum(features.std(axis=(0, 1)), 1.0)
    return np.pad(features.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0), (0, 0)))


def _difference(sums: np.ndarray, boxes: np.ndarray) -> float:
    """The mean difference between inside and around, in standard deviations; NaN without a usable box."""
    side = sums.shape[0] - 1
    inner = np.clip(boxes, 0, side).round().astype(int)
    wide = np.maximum(2, RING * (inner[:, 2:] - inner[:, :2])).round().astype(int)
    outer = np.clip(np.hstack([inner[:, :2] - wide, inner[:, 2:] + wide]), 0, side)
    inside, whole = _area(inner), _area(outer)
    kept = (inner[:, 2:] > inner[:, :2] + 1).all(axis=1) & (whole > inside)
    if not kept.any():
        return float("nan")
    within = _total(sums, inner[kept])
    around = (_total(sums, outer[kept]) - within) / (whole - inside)[kept, None]
    return float(np.linalg.norm(within / inside[kept, None] - around, axis=1).mean())


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)


def _total(sums: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    left, top, right, bottom = boxes.T
    return sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]


def box_signal_finding(signals: dict[str, Signal]) -> Finding:
    """The finding on whether boxes frame something, and in which order their numbers seem to be."""
    name = "boxes follow the images"
    expected = f"{WEAK:g} standard errors or more above other places"
    if not signals:
        why = f"fewer than {FEWEST} images with boxes are too few to tell"
        return Finding(name=name, status="INFO", value=None, expected=expected, why=why, fix="")
    given = signals[GIVEN]
    way = better_way(signals)
    why, fix = "", ""
    if way:
        why = f"read as {way!r}, they frame far more: {signals[way].z:.1f} standard errors"
        fix = FIXES.get(way, f"the numbers of a box seem to be {way}; give them as {GIVEN}, in pixels")
    elif given.z < WEAK:
        why = "boxes differ from their surroundings no more than the same places of other images do"
        fix = "look at the pictures with their boxes, which may belong to other images"
    status = grade(fail=way, warn=given.z < WEAK)
    return Finding(name=name, status=status, value=round(given.z, 1), expected=expected, why=why, fix=fix)
