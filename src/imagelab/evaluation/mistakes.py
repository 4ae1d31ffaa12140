"""Which images to look at: those with the highest loss, and the mistakes that were made most confidently."""

import numpy as np

TINY = 1e-12  # a probability of 0 would have an infinite loss


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross entropy of each image, (N,): minus the logarithm of the probability of its own class."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], TINY))


def top_losses(probabilities: np.ndarray, labels: np.ndarray, top: int) -> np.ndarray:
    """The places of the images with the highest loss, the highest first; wrong ones or unsure ones."""
    return np.argsort(-losses(probabilities, labels), kind="stable")[:top]


def confident_mistakes(
    probabilities: np.ndarray, predicted: np.ndarray, labels: np.ndarray, top: int
) -> np.ndarray:
    """The places of the wrong images by the probability of what they were taken for, the highest first."""
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:top]
