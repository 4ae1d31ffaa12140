"""Do the labels follow the images? A permutation test on neighbours, without any training.

Images that look alike share their label more often than chance; where labels were shuffled or shifted on the
way they do not. The statistic is the share of equal labels among the nearest neighbours, by colours in their
places and by colours alone; its null distribution is that of the same neighbours under permuted labels. Of
the two the stronger counts, against the null distribution of the stronger.

Source: Friedman & Rafsky 1983, https://doi.org/10.1214/aos/1176346153: neighbours of one set of measurements
compared with those of another, by permutation; Westfall & Young 1993: the maximum of several such tests.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagelab.randomness import stream
from imagelab.record import Record

MOST = 2000  # images: more say nothing new
NEIGHBOURS = 10
PERMUTATIONS = 200
SIDE = 8  # pixels of a thumbnail
LEVELS = 4  # of each colour in the histogram
FAIL, WARN = 3.0, 4.0  # z: shuffled labels stay below the one, true ones lie above the other
FEWEST = 100  # images: of fewer a low z says nothing


def label_signal(images: np.ndarray | Tensor, labels: np.ndarray, *, seed: int) -> float:
    """How far beyond chance neighbours share their labels, in standard deviations.

    Args:
        images: (N, H, W, C) or (N, C, H, W) uint8, C 1 or 3; or features (N, F) float. Of more than 2,000 a
            sample is looked at.
        labels: (N,) int64.
        seed: Of the sample and of the permutations.
    """
    return strongest(list(label_signals(images, labels, seed=seed).values()))


def label_signals(images: np.ndarray | Tensor, labels: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
    """By what neighbours are found by: z of the labels, then z of each permutation, (1 + PERMUTATIONS,)."""
    rng = stream(seed, "label signal")
    places = np.sort(rng.permutation(len(labels))[:MOST])
    some = torch.as_tensor(images)[torch.from_numpy(places)]
    labels = np.unique(np.asarray(labels)[places], return_inverse=True)[1]
    if len(labels) < 3 or labels.max() < 1:
        return {"nothing to compare": np.zeros(1 + PERMUTATIONS)}
    orders = [np.arange(len(labels)), *(rng.permutation(len(labels)) for _ in range(PERMUTATIONS))]
    return {name: _agreement(features, labels, orders) for name, features in _descriptions(some).items()}


def strongest(signals: Sequence[np.ndarray]) -> float:
    """Z of the largest of several statistics against the null distribution of the largest.

    Args:
        signals: Of each statistic what `label_signals` gives.
    """
    largest = np.max(signals, axis=0)
    null = largest[1:]
    return float((largest[0] - null.mean()) / null.std()) if null.std() > 0 else 0.0


def signal_record(z: float, count: int) -> Record:
    """The verdict on a z among so many images."""
    status = "OK" if z > WARN else "WARN" if z >= FAIL or count < FEWEST else "FAIL"
    few = f"; of {count} images a low z says little" if count < FEWEST else ""
    found = {
        "OK": "images that look alike share their labels far more often than chance",
        "WARN": "images that look alike hardly share their labels" + few,
        "FAIL": "images that look alike share their labels as often as chance has it: are they shuffled?",
    }
    fix = (
        "look at the pictures with their labels; check how files and labels are paired, and the order of both"
    )
    return Record(
        name="labels follow the images",
        status=status,
        value=round(z, 2),
        expected=f"z > {WARN:g}; shuffled labels stay below {FAIL:g}",
        why=found[status],
        fix="" if status == "OK" else fix,
    )


def _descriptions(images: Tensor) -> dict[str, Tensor]:
    if images.ndim == 2:
        return {"features": images.float()}
    images = images if images.shape[-1] not in (1, 3) else images.permute(0, 3, 1, 2)
    parts = images.split(128)  # photos as float take four times their memory
    return {
        "thumbnails": torch.cat([functional.adaptive_avg_pool2d(one.float(), SIDE) for one in parts]).flatten(
            1
        ),
        "colours": torch.cat([_histogram(one) for one in parts]),
    }


def _histogram(images: Tensor) -> Tensor:
    """(N, C, H, W) uint8 -> (N, 64): roots of the shares of colours, whose distance is Hellinger's."""
    level = (images.long() * LEVELS // 256).expand(-1, 3, -1, -1)
    colour = ((level[:, 0] * LEVELS + level[:, 1]) * LEVELS + level[:, 2]).flatten(1)
    counts = torch.zeros(len(images), LEVELS**3).scatter_add_(1, colour, torch.ones_like(colour).float())
    return (counts / colour.shape[1]).sqrt()


def _agreement(features: Tensor, labels: np.ndarray, orders: Sequence[np.ndarray]) -> np.ndarray:
    near = _neighbours(features)
    shares = np.array([(labels[order][near] == labels[order][:, None]).mean() for order in orders])
    spread = shares[1:].std()
    return (shares - shares[1:].mean()) / spread if spread > 0 else np.zeros(len(shares))


def _neighbours(features: Tensor) -> np.ndarray:
    """(N, F) -> the places of each one's nearest others, (N, k)."""
    away = torch.cdist(features, features)
    away.fill_diagonal_(torch.inf)
    return away.topk(min(NEIGHBOURS, len(features) - 1), largest=False).indices.numpy()
