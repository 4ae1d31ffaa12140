"""Make pictures smaller without aliasing, or larger, on the CPU.

`cv2.INTER_AREA` averages all the pixels that fall into one; `cv2.INTER_LINEAR` looks at four of them only.
"""

import numpy as np


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3) uint8; the very same image where it has that size."""
    if image.shape[:2] == (height, width):
        return image
    import cv2

    cv2.setNumThreads(
        0
    )  # pictures are resized side by side; and forked workers hang in the threads of their parent

    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def covered(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3) uint8: resized with its aspect kept, then the centre cut out."""
    scale = max(height / image.shape[0], width / image.shape[1])
    tall, wide = max(height, round(image.shape[0] * scale)), max(width, round(image.shape[1] * scale))
    top, left = (tall - height) // 2, (wide - width) // 2
    return resized(image, tall, wide)[top : top + height, left : left + width]


def shrunk_size(width: int, height: int, short: int) -> tuple[int, int]:
    """Width and height when the short side is shrunk to `short` pixels; smaller ones stay.

    >>> shrunk_size(600, 400, 200), shrunk_size(100, 50, 200)
    ((300, 200), (100, 50))
    """
    scale = min(1.0, short / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
