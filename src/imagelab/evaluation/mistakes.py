"""Find the images with the highest loss, and the most confident mistakes."""

import numpy as np

TINY = 1e-12  # a probability of 0 would have an infinite loss


def losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Cross entropy of each image, (N,): minus the logarithm of the probability of its label."""
    return -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], TINY))


def top_losses(probabilities: np.ndarray, labels: np.ndarray, top: int) -> np.ndarray:
    """The indices of the images with the highest loss, the highest first; they are wrong or uncertain."""
    return np.argsort(-losses(probabilities, labels), kind="stable")[:top]


def confident_mistakes(
    probabilities: np.ndarray, predicted: np.ndarray, labels: np.ndarray, top: int
) -> np.ndarray:
    """The indices of misclassified images by the probability of the predicted class, the highest first."""
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:top]
