# room: augment/color_jitter, augment/crop, augment/flip
"""Load images as tutorials with torchvision do: PIL images, v2 transforms one by one, a DataLoader."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
Epoch = Callable[[], Iterable[int]]
"""Makes one epoch of batches and tells the size of each."""


class PilImages(Dataset[Any]):
    """What torchvision's CIFAR10 class does: an array of decoded images, a PIL image of each asked for."""

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Image.Image], Any]
    ) -> None:
        self.images, self.labels, self.transform = images, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[place])), self.labels[place]


def usual(dataset: Dataset[Any], batch_size: int, workers: int, device: torch.device) -> Epoch:
    """A DataLoader as tutorials write it, its workers kept from epoch to epoch."""
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return lambda: (len(images.to(device)) for images, _ in loader)


def to_float() -> list[Any]:
    """The end of every chain of transforms."""
    return [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
