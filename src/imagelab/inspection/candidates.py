"""Find candidate pairs of copies: images whose coarse thumbnails correlate, mirrored or not.

A matrix product compares all pairs, 1.8 billion of 60,000 images in under a minute. It also finds cropped
copies, which perceptual hashes miss.
"""

from collections.abc import Iterator

import numpy as np

from imagelab.randomness import stream

ROWS, COLUMNS = 1024, 8192  # pairs compared at once: 32 MB
SAMPLE = 256  # images compared with all others to estimate the number of pairs
MANY = 4.0  # candidates per image: if there are more, only the most similar
CHROMA = 0.7  # weight of colour: grey copies are still found
FLAT = 2.0  # grey levels: a lower contrast is noise
# Y, Cb and Cr of ITU-R BT.601
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]], dtype=np.float32)


def candidates(small: np.ndarray, least: float) -> tuple[float, Iterator[tuple[np.ndarray, bool]]]:
    """The threshold used, and an iterator of pairs i < j, (K, 2) int32, with whether j is mirrored.

    Args:
        small: Thumbnails, (N, 8, 8, 3) uint8.
        least: Least correlation of a pair; raised if there would be too many pairs, as among thousands of
            handwritten digits.
    """
    return search(features(small), features(small[:, :, ::-1]), least)


def search(
    plain: np.ndarray, mirrored: np.ndarray, least: float
) -> tuple[float, Iterator[tuple[np.ndarray, bool]]]:
    """As `candidates`, from vectors (N, F) float32 of length 1 of the images and of their mirror images."""
    least = max(least, _affordable(plain))

    def pairs() -> Iterator[tuple[np.ndarray, bool]]:
        for other, flipped in ((plain, False), (mirrored, True)):
            for some in _above(plain, other, least):
                yield some, flipped

    return least, pairs()


def features(small: np.ndarray) -> np.ndarray:
    """(N, 8, 8, 3) uint8 -> (N, 96) float32 of length 1, whose products are correlations; 0 where flat."""
    colour = small.astype(np.float32) @ YCBCR.T
    count = len(small)
    luma = colour[..., 0].reshape(count, 64)
    chroma = colour[..., 1:].reshape(count, 4, 2, 4, 2, 2).mean((2, 4)).reshape(count, 16, 2)
    luma = luma - luma.mean(1, keepdims=True)
    chroma = (chroma - chroma.mean(1, keepdims=True)).reshape(count, 32) * (2 * CHROMA)
    found = np.concatenate([luma, chroma], axis=1)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.where(length > FLAT * 8, found / np.maximum(length, 1e-6), 0)


def _affordable(found: np.ndarray) -> float:
    """The correlation above which there are at most MANY candidates per image."""
    if len(found) <= SAMPLE:
        return 0.0
    some = stream(0, "duplicates").choice(len(found), SAMPLE, replace=False)
    alike = (found[some] @ found.T).ravel()
    allowed = SAMPLE + int(2 * MANY * SAMPLE)  # itself, and each pair is seen from both sides
    return float(np.partition(alike, -allowed)[-allowed])


def _above(first: np.ndarray, second: np.ndarray, least: float) -> Iterator[np.ndarray]:
    for top in range(0, len(first), ROWS):
        for left in range(top, len(second), COLUMNS):
            i, j = np.nonzero(first[top : top + ROWS] @ second[left : left + COLUMNS].T >= least)
            pairs = np.stack([i + top, j + left], axis=1).astype(np.int32)
            yield pairs[pairs[:, 0] < pairs[:, 1]]
