"""Lay out features on a plane, so that similar pictures lie close together.

Source: PCA and t-SNE of scikit-learn; van der Maaten & Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

BEFORE = 50  # components that t-SNE sees, as in the paper, section 4.2
PERPLEXITY = 30.0  # of t-SNE: about the number of neighbours that count; the paper: 5 to 50


def layout(features: np.ndarray, way: str, seed: int) -> np.ndarray:
    """Features (N, F) -> places on a plane, (N, 2) float64.

    Args:
        features: Features of at least 2 pictures; only their directions count.
        way: pca: the two directions of largest variance; tsne: neighbours stay neighbours.
        seed: Seed of the random numbers.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = features / np.maximum(lengths, 1e-12)
    count = len(unit)
    if way == "pca" or count < 4:
        return _plane(PCA(min(2, *unit.shape), random_state=seed).fit_transform(unit))
    main = PCA(min(BEFORE, *unit.shape), random_state=seed).fit_transform(unit)
    perplexity = min(PERPLEXITY, (count - 1) / 3)
    start = "pca" if main.shape[1] > 1 else "random"
    return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(main)


def _plane(places: np.ndarray) -> np.ndarray:
    """Places with a second coordinate of 0 if there is only one."""
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
