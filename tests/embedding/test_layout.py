"""Groups of features lie apart on the map, and neighbours are found by direction."""

import numpy as np
import pytest

from imagelab.embedding.layout import layout
from imagelab.embedding.neighbours import nearest


def two_groups() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(20, 8)) + 6 * np.eye(8)[k] for k in (0, 1)]).astype(np.float32)


@pytest.mark.parametrize("way", ["pca", "tsne"])
def test_each_picture_lies_next_to_one_of_its_group(way):
    places = layout(two_groups(), way, seed=0)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(40)
    assert ((apart.argmin(axis=1) < 20) == (np.arange(40) < 20)).all()


def test_few_pictures_and_one_feature_have_places_too():
    assert layout(np.ones((2, 1), np.float32), "tsne", seed=0).shape == (2, 2)


def test_the_nearest_are_those_of_the_same_direction_and_never_itself():
    features = np.array([[1, 0], [5, 0.1], [0, 1], [0.1, 3]], np.float32)
    found = nearest(features, None, count=9)
    assert found.places.shape == (4, 3)
    assert found.places[:, 0].tolist() == [1, 0, 3, 2]
    looked_up = nearest(features, np.array([[0.0, 7.0]], np.float32), count=1)
    assert looked_up.places.tolist() == [[2]]
    assert looked_up.similarity[0, 0] == pytest.approx(1.0)
