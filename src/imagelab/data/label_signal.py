"""Test whether labels follow the images: a permutation test on nearest neighbours, without any training.

Similar images share their label more often than chance, unless labels were shuffled or shifted on the way.
The statistic is the share of equal labels among nearest neighbours; its null distribution comes from the same
neighbours with permuted labels. Neighbours are found by thumbnails and by colour histograms; the larger
of the two statistics counts, against the null distribution of the larger.

Source: Friedman & Rafsky 1983, https://doi.org/10.1214/aos/1176346153: neighbours of one set of measurements
compared with those of another, by permutation; Westfall & Young 1993: the maximum of several such tests.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from imagelab.data.resize import resized
from imagelab.finding import Finding
from imagelab.randomness import stream

MOST = 2000  # images: more add nothing
NEIGHBOURS = 10
PERMUTATIONS = 200
SIDE = 8  # pixels of a thumbnail
LEVELS = 4  # per colour in the histogram
FAIL, WARN = 3.0, 4.0  # z: shuffled labels stay below FAIL, true ones lie above WARN
FEWEST = 100  # images: with fewer, a low z means nothing


def label_signal(images: Any, labels: np.ndarray, *, seed: int) -> float:
    """How far above chance neighbours share their labels, in standard deviations.

    Args:
        images: (N, H, W, C) or (N, C, H, W) uint8, C 1 or 3, an array or a tensor; or features (N, F) float.
            Above 2,000 images a sample is used.
        labels: (N, ...), as in `contracts.Images`; values of several columns on one scale.
        seed: Seed of the sample and of the permutations.
    """
    return strongest(list(label_signals(images, labels, seed=seed).values()))


def label_signals(images: Any, labels: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
    """Description of images -> z of the labels, then z of each permutation, (1 + PERMUTATIONS,)."""
    rng = stream(seed, "label signal")
    places = np.sort(rng.permutation(len(labels))[:MOST])
    sample = np.asarray(images[places])
    labels = np.asarray(labels)[places]
    if len(labels) < 3 or (labels == labels[0]).all():
        return {"nothing to compare": np.zeros(1 + PERMUTATIONS)}
    orders = [np.arange(len(labels)), *(rng.permutation(len(labels)) for _ in range(PERMUTATIONS))]
    return {name: _agreement(features, labels, orders) for name, features in _descriptions(sample).items()}


def strongest(signals: Sequence[np.ndarray]) -> float:
    """The z of the largest of several statistics against the null distribution of the largest.

    Args:
        signals: Result of `label_signals` for each statistic.
    """
    largest = np.max(signals, axis=0)
    null = largest[1:]
    return float((largest[0] - null.mean()) / null.std()) if null.std() > 0 else 0.0


def signal_finding(z: float, count: int, *, beside: bool = False) -> Finding:
    """The finding for a z of `count` images; `beside`: other signals may tell the labels, too."""
    doubtful = z >= FAIL or count < FEWEST or beside
    below = "WARN" if doubtful else "FAIL"
    status = "OK" if z > WARN else below
    few = f"; with {count} images a low z means little" if count < FEWEST else ""
    few += "; data.signals may tell them" if beside else ""
    why = {
        "OK": "similar images share their labels far more often than by chance",
        "WARN": "similar images share their labels hardly more often than by chance" + few,
        "FAIL": "similar images share their labels no more often than by chance: are the labels shuffled?",
    }
    fix = "look at pictures and their labels; check how files and labels are paired, and the order of both"
    return Finding(
        name="labels follow the images",
        status=status,
        value=round(z, 2),
        expected=f"z > {WARN:g}; shuffled labels stay below {FAIL:g}",
        why=why[status],
        fix="" if status == "OK" else fix,
    )


def _descriptions(images: np.ndarray) -> dict[str, np.ndarray]:
    if images.ndim == 2:
        return {"features": images.astype(np.float32)}
    images = images if images.shape[-1] in (1, 3) else images.transpose(0, 2, 3, 1)
    pixels = [np.repeat(image, 3 // image.shape[-1], axis=-1) for image in images]
    return {
        "thumbnails": np.stack([_thumbnail(image) for image in pixels]),
        "colours": np.stack([_histogram(image) for image in pixels]),
    }


def _thumbnail(image: np.ndarray) -> np.ndarray:
    return resized(np.ascontiguousarray(image), SIDE, SIDE).astype(np.float32).ravel()


def _histogram(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (64,): square roots of colour shares, whose distances are Hellinger distances."""
    level = image.astype(np.int64) * LEVELS // 256
    colour = (level[..., 0] * LEVELS + level[..., 1]) * LEVELS + level[..., 2]
    counts = np.bincount(colour.ravel(), minlength=LEVELS**3)
    return np.sqrt(counts / colour.size).astype(np.float32)


def _agreement(features: np.ndarray, labels: np.ndarray, orders: Sequence[np.ndarray]) -> np.ndarray:
    near = _neighbours(features)
    shares = np.array([_alike(labels[order][near], labels[order][:, None]) for order in orders])
    spread = shares[1:].std()
    return (shares - shares[1:].mean()) / spread if spread > 0 else np.zeros(len(shares))


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """The share of equal classes, or minus the mean squared distance of values."""
    return float((-np.square(one - other) if one.dtype.kind == "f" else one == other).mean())


def _neighbours(features: np.ndarray) -> np.ndarray:
    """(N, F) -> places of the nearest neighbours of each row, (N, k)."""
    flat = features - features.mean(axis=0)
    lengths = (flat * flat).sum(axis=1)
    away = lengths[:, None] + lengths - 2 * flat @ flat.T
    np.fill_diagonal(away, np.inf)
    count = min(NEIGHBOURS, len(flat) - 1)
    return np.argpartition(away, count - 1, axis=1)[:, :count]
