"""Shrink pictures without aliasing, or enlarge them, on the CPU.

`cv2.INTER_AREA` averages all pixels that fall into one; `cv2.INTER_LINEAR` reads only four of them.
"""

import numpy as np

GREY = 114  # beside an image that is no square: near the mean of photos


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3) uint8; the same object if it already has that size."""
    if image.shape[:2] == (height, width):
        return image
    import cv2

    cv2.setNumThreads(0)  # callers use threads already, and forked workers hang in those of their parent

    shrinks = height * width < image.shape[0] * image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def covered(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3) uint8: resized at a fixed aspect ratio, then centre-cropped."""
    scale = max(height / image.shape[0], width / image.shape[1])
    tall = max(height, round(image.shape[0] * scale))
    wide = max(width, round(image.shape[1] * scale))
    top = (tall - height) // 2
    left = (wide - width) // 2
    return resized(image, tall, wide)[top : top + height, left : left + width]


def letterboxed(image: np.ndarray, height: int, width: int | None = None) -> np.ndarray:
    """(H, W, 3) uint8 -> (height, width, 3) uint8: the whole image at the top left, grey in the rest.

    Args:
        image: (H, W, 3) uint8.
        height: Height of the result in pixels.
        width: Its width in pixels; None: as its height.

    >>> letterboxed(np.zeros((2, 4, 3), np.uint8), 2)[:, :, 0].tolist()
    [[0, 0], [114, 114]]
    """
    width = width or height
    scale = min(height / image.shape[0], width / image.shape[1])
    tall = min(height, max(1, round(image.shape[0] * scale)))
    wide = min(width, max(1, round(image.shape[1] * scale)))
    whole = np.full((height, width, image.shape[2]), GREY, dtype=np.uint8)
    whole[:tall, :wide] = resized(image, tall, wide)
    return whole


def shrunk_size(width: int, height: int, short: int) -> tuple[int, int]:
    """Width and height after the short side is shrunk to `short` pixels; smaller pictures stay as they are.

    >>> shrunk_size(600, 400, 200), shrunk_size(100, 50, 200)
    ((300, 200), (100, 50))
    """
    scale = min(1.0, short / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
