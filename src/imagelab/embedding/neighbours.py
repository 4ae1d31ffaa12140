"""Find the pictures whose features point in the most similar direction.

Source: https://scikit-learn.org/stable/modules/neighbors.html, by brute force: exact.
"""

from typing import NamedTuple

import numpy as np
from sklearn.neighbors import NearestNeighbors


class Nearest(NamedTuple):
    """places: (Q, k) int64, indices of pictures, the nearest first. similarity: (Q, k) float32, cosines."""

    places: np.ndarray
    similarity: np.ndarray


def nearest(features: np.ndarray, queries: np.ndarray | None, count: int) -> Nearest:
    """The nearest pictures to each query.

    Args:
        features: Features of the pictures to find, (N, F).
        queries: Features to look up, (Q, F); None: each picture looks up the others.
        count: Number of neighbours, k; fewer if there are not as many pictures.
    """
    others = len(features) - (queries is None)
    search = NearestNeighbors(n_neighbors=min(count, others), metric="cosine", algorithm="brute")
    distance, places = search.fit(features).kneighbors(queries)
    return Nearest(places.astype(np.int64), (1 - distance).astype(np.float32))
