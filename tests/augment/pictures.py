"""Pictures on which one sees where pixels went, and the formulas that say where they should be."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab.randomness import sample_keys

Map = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def keys(count: int, epoch: int = 0) -> Tensor:
    return sample_keys(1, epoch, torch.arange(count))


def grain(count: int, *shape: int) -> Tensor:
    """Every pixel of its own, (count, *shape) uint8."""
    return torch.randint(
        0, 256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def smooth(height: int, width: int) -> np.ndarray:
    """A landscape without edges, (height, width, 3) uint8, unlike itself when turned or mirrored."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [np.sin(5 * x + 3 * y + k) + np.cos(4 * y * (k + 1) - 3 * x) for k in range(3)]
    return np.rint(127.5 + 60 * np.dstack(waves)).clip(0, 255).astype(np.uint8)


def spot(height: int, width: int, x: float, y: float) -> Tensor:
    """A soft bright spot on black, x to the right and y down of the centre: (1, 1, height, width) uint8."""
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    rows, columns = rows - (height - 1) / 2 - y, columns - (width - 1) / 2 - x
    return torch.from_numpy(np.rint(250 * np.exp(-(rows**2 + columns**2) / 8)).astype(np.uint8))[None, None]


def centroids(images: Tensor) -> tuple[Tensor, Tensor]:
    """The mean place of the light in images (B, 1, H, W): x and y (B,), from the centre."""
    light, (height, width) = images[:, 0].double(), images.shape[-2:]
    total = light.sum((1, 2))
    x = (light.sum(1) * (torch.arange(width) - (width - 1) / 2)).sum(1) / total
    y = (light.sum(2) * (torch.arange(height) - (height - 1) / 2)).sum(1) / total
    return x, y


def looked_up(image: np.ndarray, source: Map, border: str) -> np.ndarray:
    """One image (C, H, W) made of what it shows at source(x, y), as the textbook says; not rounded."""
    height, width = image.shape[1:]
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    x, y = source(columns - (width - 1) / 2, rows - (height - 1) / 2)
    x, y = x + (width - 1) / 2, y + (height - 1) / 2
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    result = np.zeros(image.shape)
    for down in (0, 1):
        for right in (0, 1):
            weight = (1 - abs(x - left - right)) * (1 - abs(y - top - down))
            result += weight * _pixels(image, top + down, left + right, border)
    return result


def _pixels(image: np.ndarray, row: np.ndarray, column: np.ndarray, border: str) -> np.ndarray:
    height, width = image.shape[1:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    if border == "zero":
        return image[:, row.clip(0, height - 1), column.clip(0, width - 1)] * inside
    mirrored = [np.abs((at + n - 1) % (2 * n - 2) - (n - 1)) for at, n in ((row, height), (column, width))]
    return image[:, mirrored[0], mirrored[1]]


def assert_rounded(found: Any, exact: Any) -> None:
    """The grey levels found are the exact ones, rounded."""
    assert np.abs(np.asarray(found, dtype=float) - np.asarray(exact, dtype=float)).max() <= 0.5 + 0.01
